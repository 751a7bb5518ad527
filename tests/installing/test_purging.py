"""Before data go, everything is looked at that would make their end a mistake."""

import os
from pathlib import Path

import pytest

from boxship.base.errors import ConflictError, InvalidArgumentError
from boxship.daemon.ownership import owned
from boxship.installing.layout import Layout
from boxship.installing.purging import check_free, check_purge, purge, roots


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for place in ("var/lib/boxship", "run/boxship/c/0123456789abcdef", "etc/boxship"):
        (tmp_path / place).mkdir(parents=True)
    for place in ("var/lib/boxship", "run/boxship"):
        (tmp_path / place / "boxshipd.lock").touch()
    return tmp_path


def test_all_of_it_goes(root: Path) -> None:
    layout = Layout(str(root))
    places = roots(layout)
    assert places == [f"{root}/var/lib/boxship", f"{root}/run/boxship"]
    check_purge(places)
    purge(places, layout)
    assert not any(os.path.exists(place) for place in (*places, f"{root}/etc/boxship"))


def test_the_configuration_says_where_data_are(root: Path) -> None:
    (root / "etc/boxship/daemon.json").write_text('{"data-root": "/srv/b"}')
    (root / "srv/b").mkdir(parents=True)
    assert roots(Layout(str(root))) == [f"{root}/run/boxship"]  # no daemon has been there
    (root / "srv/b/boxshipd.lock").touch()
    assert roots(Layout(str(root)))[0] == f"{root}/srv/b"
    (root / "etc/boxship/daemon.json").write_text("{")
    with pytest.raises(InvalidArgumentError, match="which data is to go"):
        roots(Layout(str(root)))
    (root / "etc/boxship/daemon.json").write_text("[]")
    with pytest.raises(InvalidArgumentError, match="which data is to go"):
        roots(Layout(str(root)))


def test_running_containers_keep_their_data(root: Path) -> None:
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    pid_file = root / "run/boxship/c/0123456789abcdef/shim.pid"
    pid_file.write_text(f"{os.getpid()} {fields[19]}\n")
    with pytest.raises(ConflictError, match=r"1 containers run \(0123456789ab\): stop them"):
        check_purge([f"{root}/var/lib/boxship", f"{root}/run/boxship"])
    pid_file.write_text(f"{os.getpid()} 1\n")  # another process has its number now
    check_purge([f"{root}/run/boxship"])


def test_what_is_mounted_is_not_walked_into() -> None:
    with pytest.raises(ConflictError, match="still mounted: /proc"):
        check_purge(["/proc"])


def test_nothing_is_taken_from_a_daemon_that_works(root: Path) -> None:
    places = roots(Layout(str(root)))
    with (
        owned(places[0]),
        pytest.raises(ConflictError, match=rf"daemon \(pid {os.getpid()}\) works in {places[0]}"),
    ):
        check_free(places)
    check_free(places)
