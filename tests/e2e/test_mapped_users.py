"""``--userns-remap``: who the users of containers are outside, and what they own."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.engine import Engine

pytestmark = [pytest.mark.privileged, pytest.mark.boxshipd]

USER = "daemon"
"""A user, with a group of that name, that every Debian has and nobody is."""
FIRST = {"/etc/subuid": 1_500_000, "/etc/subgid": 2_500_000}
RUN = ("run", "--rm", "busybox")


@pytest.fixture(scope="module")
def _ranges() -> Iterator[None]:
    """Give the user ranges, different ones for users and groups, as long as the tests last."""
    before = {path: Path(path).read_bytes() if os.path.exists(path) else None for path in FIRST}
    for path, first in FIRST.items():
        Path(path).write_text(f"{USER}:{first}:65536\n", encoding="ascii")
    yield
    for path, content in before.items():
        Path(path).unlink() if content is None else Path(path).write_bytes(content)


@pytest.fixture(scope="module")
def mapped(_ranges: None) -> Iterator[Engine]:
    """A daemon that maps users."""
    if shutil.which("docker") is None:
        pytest.skip("no docker client on PATH")
    with Engine("--userns-remap", USER) as engine:
        engine.home.chmod(0o711)  # runc looks for the root as who is mapped
        engine.load("busybox")
        yield engine


def test_root_is_nobody_outside(mapped: Engine) -> None:
    name = mapped.api.create("root", Cmd=["sleep", "1000"])
    mapped.api.start(name)
    status = Path(f"/proc/{mapped.api.inspect('root')['State']['Pid']}/status").read_text()
    assert f"Uid:\t{FIRST['/etc/subuid']}\t" in status
    assert f"Gid:\t{FIRST['/etc/subgid']}\t" in status
    inside = mapped.docker("exec", "root", "sh", "-c", "id -u; cat /proc/self/uid_map")
    assert inside.split() == ["0", "0", str(FIRST["/etc/subuid"]), "65536"]
    mapped.api.remove(name)


def test_files_belong_to_whom_the_image_says(mapped: Engine) -> None:
    script = "stat -c %u:%g /bin /etc/hosts /etc/resolv.conf /etc/hostname /dev/null /dev/shm"
    assert set(mapped.docker(*RUN, "sh", "-c", script).split()) == {"0:0"}


def test_new_files_lie_on_the_disk_as_they_are_inside(mapped: Engine) -> None:
    name = mapped.api.create(
        "writes", Cmd=["sh", "-c", "touch /a && touch /b && chown 1000:1001 /b && rm -r /root"]
    )
    mapped.api.start(name)
    assert mapped.api.wait(name) == 0
    upper = mapped.data / "snapshots" / name / "upper"
    owners = {one.name: (one.stat().st_uid, one.stat().st_gid) for one in upper.iterdir()}
    assert (owners["a"], owners["b"]) == ((0, 0), (1000, 1001))
    mapped.api.remove(name)


def test_an_image_serves_mapped_and_unmapped_alike(mapped: Engine) -> None:
    see = ("sh", "-c", "cat /proc/self/uid_map; stat -c %u:%g /bin/busybox")
    assert mapped.docker(*RUN, *see).split()[-1] == "0:0"
    unmapped = mapped.docker("run", "--rm", "--userns=host", "busybox", *see)
    assert unmapped.split() == ["0", "0", "4294967295", "0:0"]


@pytest.mark.usefixtures("_ranges")
def test_one_container_with_and_without_maps(make_engine: Callable[..., Engine]) -> None:
    """What a container wrote is its own still when the daemon maps users from now on."""
    before = make_engine()
    before.start()
    before.load("busybox")
    name = before.api.create("same", Cmd=["sh", "-c", "stat -c %u:%g /kept || touch /kept"])
    before.api.start(name)
    before.api.wait(name)
    before.stop()
    before.add_flags("--userns-remap", USER)
    before.start()
    before.api.start(name)
    before.api.wait(name)
    assert before.docker("logs", "same").split()[-1] == "0:0"


def test_what_is_bound_belongs_to_the_host(mapped: Engine, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("host")
    (tmp_path / "secret").chmod(0o600)
    tmp_path.chmod(0o755)
    os.chown(tmp_path / "secret", 0, 0)
    script = "stat -c %u:%g /v/secret; cat /v/secret || touch /v/new"
    answer = mapped.docker.run("run", "--rm", "-v", f"{tmp_path}:/v", "busybox", "sh", "-c", script)
    assert answer.out.split() == ["65534:65534"]
    assert "Permission denied" in answer.err
    assert answer.code == 1
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("--privileged", "privileged mode is incompatible with user namespaces"),
        ("--net=host", "cannot share the host's network namespace"),
        ("--pid=host", "cannot share the host PID namespace"),
    ],
)
def test_the_hosts_own_is_for_unmapped_ones(mapped: Engine, options: str, words: str) -> None:
    refused = mapped.docker.run("run", "--rm", options, "busybox", "true")
    assert (refused.code, words in refused.err) == (125, True)
    assert mapped.docker("run", "--rm", options, "--userns=host", "busybox", "id", "-u") == "0"


def test_who_shares_namespaces_shares_the_users(mapped: Engine) -> None:
    docker = mapped.docker
    docker("run", "-d", "--name=first", "--ipc=shareable", "busybox", "sh", "-c",
           "echo hey > /dev/shm/x; sleep 1000")  # fmt: skip
    docker("run", "-d", "--name=unmapped", "--userns=host", "busybox", "sleep", "1000")
    own = docker("exec", "first", "readlink", "/proc/self/ns/user")
    for mode in ("--pid", "--ipc", "--net"):
        assert docker("run", "--rm", f"{mode}=container:first", "busybox", "readlink",
                      "/proc/self/ns/user") == own  # fmt: skip
    ipc = ("run", "--rm", "--ipc=container:first", "busybox", "cat", "/dev/shm/x")
    assert docker(*ipc) == "hey"
    refused = docker.run("run", "--rm", "--pid=container:unmapped", "busybox", "true")
    assert "use --userns=host here, too" in refused.err
    docker("rm", "-f", "first", "unmapped")


def test_another_runtime_maps_them_too(mapped: Engine) -> None:
    if shutil.which("runc") is None:
        pytest.skip("no runc")
    see = ("cat", "/proc/self/uid_map")
    told = mapped.docker("run", "--rm", "--runtime=runc", "busybox", *see)
    assert told.split() == ["0", str(FIRST["/etc/subuid"]), "65536"]


def test_info_says_so(mapped: Engine) -> None:
    assert "name=userns" in mapped.api.get("/info").json()["SecurityOptions"]
