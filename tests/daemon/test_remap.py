"""``userns-remap``: whose ids, from which lines of the host's databases."""

from pathlib import Path

import pytest

from boxship.base.errors import InvalidArgumentError
from boxship.daemon.remap import Databases, free_range, user_maps
from boxship.engine.settings import UserMaps
from boxship.oci.runtime import IdMapping

DAEMON = (IdMapping(0, 100_000, 65_536),)


def databases(tmp_path: Path, uids: str, gids: str = "daemon:100000:65536\n") -> Databases:
    (tmp_path / "subuid").write_text(uids)
    (tmp_path / "subgid").write_text(gids)
    return Databases(str(tmp_path / "subuid"), str(tmp_path / "subgid"))


@pytest.mark.parametrize("option", ["daemon", "1", "daemon:daemon", "1:1", "daemon:1", "1:daemon"])
def test_user_and_group_by_name_and_number(tmp_path: Path, option: str) -> None:
    found = user_maps(option, databases(tmp_path, "daemon:100000:65536\n"))
    assert found == UserMaps(DAEMON, DAEMON)
    assert found.root == (100_000, 100_000)


def test_a_line_may_have_the_number(tmp_path: Path) -> None:
    assert user_maps("daemon", databases(tmp_path, "1:100000:65536\n")) == UserMaps(DAEMON, DAEMON)


def test_all_ranges_follow_one_another(tmp_path: Path) -> None:
    lines = "# whose\nother:1:2\ndaemon:200000:1000\n\ndaemon:100000:10\ndaemon:5:0\n"
    found = user_maps("daemon", databases(tmp_path, lines))
    assert found is not None
    assert found.uids == (IdMapping(0, 200_000, 1000), IdMapping(1000, 100_000, 10))


@pytest.mark.parametrize(
    ("option", "words"),
    [
        (":daemon", "default, user, uid, user:group or uid:gid is expected"),
        ("daemon:", "is expected"),
        ("a:b:c", "is expected"),
        ("nobody-knows", 'no user "nobody-knows" in /etc/passwd'),
        ("4294967290", 'no user "4294967290"'),
        ("99999999999999999999", "no user"),
        ("daemon:nobody-knows", 'no group "nobody-knows" in /etc/group'),
        ("bin", 'no ids of "bin" in'),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, option: str, words: str) -> None:
    with pytest.raises(InvalidArgumentError, match=words):
        user_maps(option, databases(tmp_path, "daemon:100000:65536\n"))


@pytest.mark.parametrize("line", ["daemon:1", "daemon:a:1", "daemon:-5:10", "daemon:1:2:3"])
def test_a_broken_line_is_named(tmp_path: Path, line: str) -> None:
    with pytest.raises(InvalidArgumentError, match="subuid:2: name:first:count is expected"):
        user_maps("daemon", databases(tmp_path, f"daemon:100000:1\n{line}\n"))


def test_missing_files_are_files_without_ids(tmp_path: Path) -> None:
    nowhere = Databases(str(tmp_path / "a"), str(tmp_path / "b"))
    with pytest.raises(InvalidArgumentError, match='no ids of "daemon"'):
        user_maps("daemon", nowhere)


def test_more_ranges_than_the_kernel_takes(tmp_path: Path) -> None:
    lines = "".join(f"daemon:{100_000 + 10 * n}:1\n" for n in range(341))
    with pytest.raises(InvalidArgumentError, match="341 ranges"):
        user_maps("daemon", databases(tmp_path, lines))


def test_nothing_is_mapped_unless_asked_for_or_for_root(tmp_path: Path) -> None:
    assert user_maps("", databases(tmp_path, "")) is None
    assert user_maps("root", databases(tmp_path, "")) is None
    assert user_maps("0:0", databases(tmp_path, "")) is None


def test_new_ids_are_nobodys() -> None:
    assert free_range(()) == 100_000
    assert free_range(((100_000, 65_536),)) == 165_536
    assert free_range(((300_000, 5), (90_000, 20_000))) == 110_000
    assert free_range(((165_536, 65_536), (100_000, 65_536))) == 231_072
