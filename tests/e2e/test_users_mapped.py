"""A daemon with ``userns-remap``: root in containers is nobody on the host.

On disk everything keeps the owners that images have, so that all else (commit, save, a container
with ``--userns=host``, a daemon without the option) finds what it expects.
"""

import io
import json
import os
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support import runtimes
from support.cli import Cli
from support.engine import Engine
from support.subordinate import COUNT, FIRST, USER, subordinate_ids
from support.waiting import eventually

pytestmark = [pytest.mark.privileged, pytest.mark.boxshipd]

RUN = ("run", "--rm", "--net=none")
OWNED = "echo own > /mine; chown 5:6 /mine"


@pytest.fixture(scope="module")
def _subordinate_ids() -> Iterator[None]:
    with subordinate_ids():
        yield


@pytest.fixture(scope="module")
def _mapping_engine(_subordinate_ids: None) -> Iterator[Engine]:
    engine = Engine(f"--userns-remap={USER}")
    engine.home.chmod(0o711)  # other runtimes look for the root as the container's
    engine.add_flags(*runtimes.flags(engine.home))
    with engine:
        engine.load("busybox")
        yield engine


@pytest.fixture
def mapping(_mapping_engine: Engine) -> Iterator[Engine]:
    yield _mapping_engine
    for container in _mapping_engine.api.get("/containers/json", all=1).json():
        _mapping_engine.api.remove(container["Id"])
    eventually(lambda: not _mapping_engine.remains(), "the end of what containers leave")


@pytest.fixture
def docker(mapping: Engine) -> Cli:
    return mapping.docker


def owners(path: Path) -> tuple[int, int]:
    status = path.lstat()
    return status.st_uid, status.st_gid


def upper_of(docker: Cli, name: str) -> Path:
    return Path(docker("inspect", "-f", "{{.GraphDriver.Data.UpperDir}}", name))


def test_root_is_somebody_else_on_the_host(docker: Cli) -> None:
    docker("run", "-d", "--net=none", "--name", "web", "busybox", "sleep", "1000")
    pid = docker("inspect", "-f", "{{.State.Pid}}", "web")
    assert f"Uid:\t{FIRST}" in Path(f"/proc/{pid}/status").read_text()
    assert docker("exec", "web", "cat", "/proc/self/uid_map").split() == [
        "0",
        str(FIRST),
        str(COUNT),
    ]
    assert docker("exec", "web", "id", "-u") == "0"
    assert docker("top", "web").splitlines()[1].split()[0] == str(FIRST)
    assert "name=userns" in json.loads(docker("info", "-f", "{{json .SecurityOptions}}"))


def test_the_default_rights_hold_in_it(docker: Cli) -> None:
    script = "grep -E '^(CapEff|CapBnd|Seccomp|NoNewPrivs):' /proc/self/status"
    lines = docker(*RUN, "busybox", "sh", "-c", script).split()
    assert lines == [
        "CapEff:", "00000000a80425fb", "CapBnd:", "00000000a80425fb",
        "NoNewPrivs:", "0", "Seccomp:", "2",
    ]  # fmt: skip


def test_owners_are_the_images(docker: Cli) -> None:
    looked = docker(
        *RUN, "busybox", "stat", "-c", "%u:%g", "/", "/bin/busybox", "/etc/passwd", "/etc/hosts",
        "/etc/resolv.conf", "/etc/hostname", "/dev/null", "/dev/shm", "/dev/mqueue", "/tmp",
    )  # fmt: skip
    assert set(looked.split()) == {"0:0"}


def test_files_of_the_daemons_can_be_written(docker: Cli) -> None:
    script = "echo 10.0.0.1 shop >> /etc/hosts && tail -1 /etc/hosts && echo x > /etc/resolv.conf"
    assert docker(*RUN, "busybox", "sh", "-c", script) == "10.0.0.1 shop"


def test_a_mounted_image_has_the_owners_of_the_container(docker: Cli) -> None:
    docker("run", "--name", "maker", "--net=none", "busybox", "sh", "-c", OWNED)
    docker("commit", "maker", "layered")
    docker("rm", "maker")
    look = ("busybox", "stat", "-c", "%u:%g", "/other/etc/passwd")
    assert docker(*RUN, "--mount=type=image,src=busybox,dst=/other", *look) == "0:0"
    told = ("busybox", "sh", "-c", "stat -c %u:%g /other/mine /other/etc/passwd; cat /other/mine")
    for userns in ((), ("--userns=host",)):
        mount = "--mount=type=image,src=layered,dst=/other"
        assert docker(*RUN, *userns, mount, *told).split() == ["5:6", "0:0", "own"]
    part = "--mount=type=image,src=layered,dst=/part,image-subpath=mine"
    assert docker(*RUN, part, "busybox", "stat", "-c", "%u:%g", "/part") == "5:6"
    refused = docker.run(*RUN, part, "busybox", "sh", "-c", "echo x > /part")
    assert "Read-only file system" in refused.err
    docker("rmi", "layered")


def test_what_is_written_belongs_to_the_images_users_on_disk(docker: Cli) -> None:
    script = "mkdir /d && touch /d/mine /d/given && chown 5:6 /d/given && rm /etc/group"
    docker("run", "--net=none", "--name", "web", "busybox", "sh", "-c", script)
    upper = upper_of(docker, "web")
    assert owners(upper / "d/mine") == (0, 0)
    assert owners(upper / "d/given") == (5, 6)


def test_a_committed_image_has_the_owners_of_the_container(docker: Cli) -> None:
    script = "touch /mine /given && chown 5:6 /given && chown 7 /bin"
    docker("run", "--net=none", "--name", "web", "busybox", "sh", "-c", script)
    assert docker("diff", "web").splitlines() == ["C /bin", "A /given", "A /mine"]
    docker("commit", "web", "given")
    stat = ("stat", "-c", "%u:%g", "/mine", "/given", "/bin")
    for mode in ((), ("--userns=host",)):
        assert docker(*RUN, *mode, "given", *stat).split() == ["0:0", "5:6", "7:0"]
    docker("rm", "web")
    docker("rmi", "given")


@pytest.mark.parametrize("command", ["true", "sleep 1000"])
def test_copied_files_have_the_owners_of_the_container(
    mapping: Engine, docker: Cli, tmp_path: Path, command: str
) -> None:
    (tmp_path / "file").write_bytes(b"1")
    os.chown(tmp_path / "file", 5, 6)
    docker("run", "-d", "--net=none", "--name", "web", "busybox", *command.split())
    if command == "true":
        docker("wait", "web")
    docker("cp", str(tmp_path / "file"), "web:/given")
    assert owners(upper_of(docker, "web") / "given") == (5, 6)
    archive = mapping.api.request("GET", "/containers/web/archive", query={"path": "/given"})
    with tarfile.open(fileobj=io.BytesIO(archive.body)) as found:
        (member,) = found.getmembers()
    assert (member.uid, member.gid) == (5, 6)


def test_the_same_layers_serve_the_hosts_users(docker: Cli) -> None:
    whose = ("stat", "-c", "%u:%g", "/bin/busybox", "/")
    inside = docker(*RUN, "--userns=host", "busybox", *whose)
    assert set(inside.split()) == {"0:0"}
    uid_map = docker(*RUN, "--userns=host", "busybox", "cat", "/proc/self/uid_map")
    assert uid_map.split() == ["0", "0", "4294967295"]


def test_a_container_may_change_the_mode_with_the_daemon(
    make_engine: Callable[..., Engine], _subordinate_ids: None
) -> None:
    """Nothing on disk is of one mode."""
    engine = make_engine()
    engine.start()
    engine.load("busybox")
    script = "stat -c %u:%g /etc/hosts /f; touch /f; cat /proc/self/uid_map"
    engine.docker(
        "run", "--net=none", "--name", "web", "busybox", "sh", "-c", f"touch /f; {script}"
    )
    engine.stop()
    engine.add_flags(f"--userns-remap={USER}")
    engine.start()
    said = engine.docker("start", "-a", "web").split()
    assert said == ["0:0", "0:0", "0", str(FIRST), str(COUNT)]
    engine.docker("rm", "web")


@pytest.mark.parametrize(
    ("flag", "words"),
    [
        ("--privileged", "privileged mode is incompatible with user namespaces"),
        (
            "--net=host",
            "cannot share the host's network namespace when user namespaces are enabled",
        ),
        ("--pid=host", "cannot share the host PID namespace when user namespaces are enabled"),
        ("--ipc=host", "cannot share the host IPC namespace when user namespaces are enabled"),
    ],
)
def test_what_does_not_go_together_is_refused_at_create(docker: Cli, flag: str, words: str) -> None:
    refused = docker.run("create", flag, "busybox", "true")
    assert refused.code == 1
    assert words in refused.err
    docker("create", "--userns=host", flag, "busybox", "true")


def test_streams_and_terminals_are_the_users(docker: Cli) -> None:
    script = "echo one > /dev/stdout; echo two > /dev/stderr"
    for user in ("root", "1234", "www-data"):
        said = docker.run(*RUN, "--user", user, "busybox", "sh", "-c", script)
        assert (said.out.strip(), said.err.strip()) == ("one", "two"), user
    whose = docker(*RUN, "-t", "busybox", "sh", "-c", "stat -c %u:%g /dev/console /dev/pts/0")
    assert whose.split() == ["0:0", "0:0"] or set(whose.split()) <= {"0:0", "0:5"}


def test_exec_and_attached_input(docker: Cli) -> None:
    docker("run", "-d", "--net=none", "--name", "web", "busybox", "sleep", "1000")
    again = docker.run("exec", "-u", "www-data", "web", "sh", "-c", "echo one > /dev/stdout")
    assert again.out.strip() == "one"
    assert docker("exec", "-t", "web", "sh", "-c", "stat -c %u $(tty)") == "0"
    assert docker("exec", "web", "readlink", "/proc/self/ns/user") == docker(
        "exec", "web", "readlink", "/proc/1/ns/user"
    )


def test_binds_show_the_hosts_owners_and_missing_ones_are_made(docker: Cli, tmp_path: Path) -> None:
    (tmp_path / "hosts").mkdir()
    os.chown(tmp_path / "hosts", FIRST + 7, FIRST + 8)
    missing = tmp_path / "missing" / "inner"
    binds = ("-v", f"{tmp_path}:/top", "-v", f"{tmp_path}/hosts:/given", "-v", f"{missing}:/made")
    script = "stat -c %u:%g /top /given /made; touch /made/x; touch /top/x 2>&1"
    lines = docker.run(*RUN, *binds, "busybox", "sh", "-c", script).out.splitlines()
    assert lines == [
        "65534:65534", "7:8", "0:0", "touch: /top/x: Permission denied",
    ]  # fmt: skip
    assert owners(missing) == (FIRST, FIRST)
    assert owners(missing / "x") == (FIRST, FIRST)


def test_devices_memory_and_init(docker: Cli) -> None:
    script = "stat -c %u:%g /dev/own; echo x > /dev/own && echo ok; touch /dev/shm/f && echo shm"
    said = docker(
        *RUN, "--init", "--ipc=shareable", "--device=/dev/null:/dev/own", "--tmpfs=/scratch",
        "busybox", "sh", "-c", f"{script}; touch /scratch/f && stat -c %u /scratch/f",
    )  # fmt: skip
    assert said.split() == ["0:0", "ok", "shm", "0"]


@pytest.mark.parametrize("mode", ["net", "pid", "ipc"])
def test_who_shares_a_namespace_shares_the_users(docker: Cli, mode: str) -> None:
    docker(
        "run", "-d", "--net=none", "--ipc=shareable", "--name", "first", "busybox", "sleep", "99"
    )
    flags = {"net": ("--net=container:first",), "pid": ("--pid=container:first", "--net=none"),
             "ipc": ("--ipc=container:first", "--net=none")}[mode]  # fmt: skip
    script = f"readlink /proc/self/ns/user; readlink /proc/self/ns/{mode}"
    more = f"{script}; stat -c %u /; mount | grep -c ^sysfs"
    beside = docker("run", "--rm", *flags, "busybox", "sh", "-c", more).split()
    inside = docker("exec", "first", "sh", "-c", script)
    assert beside == [*inside.split(), "0", "1"]


def test_namespaces_of_a_container_of_the_hosts_users_cannot_be_shared(docker: Cli) -> None:
    docker("run", "-d", "--net=none", "--userns=host", "--name", "first", "busybox", "sleep", "99")
    refused = docker.run("run", "--rm", "--net=container:first", "busybox", "true")
    assert refused.code == 125
    assert "that needs --userns=host" in refused.err
    docker("run", "--rm", "--userns=host", "--net=container:first", "busybox", "true")


@pytest.mark.parametrize("runtime", ["runc", "crun", "ours"])
def test_other_runtimes_map_the_same_way(docker: Cli, runtime: str) -> None:
    runtimes.require(runtime)
    script = (
        "stat -c %u:%g / /bin/busybox /etc/hosts; echo x >> /etc/hosts; touch /f;"
        "stat -c %u /f; echo one > /dev/stdout; cat /proc/self/uid_map"
    )
    docker("create", "--net=none", f"--runtime={runtime}", "--name", "web", "busybox", "sh", "-c",
           script)  # fmt: skip
    said = docker("start", "-a", "web").split()
    assert said == ["0:0", "0:0", "0:0", "0", "one", "0", str(FIRST), str(COUNT)]
    assert owners(upper_of(docker, "web") / "f") == (0, 0)
    flags = ("--net=none", f"--runtime={runtime}")
    docker("run", "-d", *flags, "--name", "second", "busybox", "sleep", "1000")
    again = docker("exec", "second", "sh", "-c", "id -u; echo one > /dev/stdout")
    assert again.split() == ["0", "one"]
    # crun gives the container whatever its streams are: the host's device must not be among them.
    assert owners(Path("/dev/null")) == (0, 0)


def test_a_restart_of_the_daemon_changes_nothing(
    make_engine: Callable[..., Engine], _subordinate_ids: None
) -> None:
    engine = make_engine(f"--userns-remap={USER}", "--live-restore")
    engine.start()
    engine.load("busybox")
    engine.docker("run", "-d", "--net=none", "--name", "web", "busybox", "sleep", "1000")
    engine.stop()
    engine.start()
    assert engine.docker("exec", "web", "stat", "-c", "%u", "/") == "0"
    assert engine.docker("inspect", "-f", "{{.State.Running}}", "web") == "true"
    engine.docker("restart", "-t", "0", "web")
    assert engine.docker("exec", "web", "cat", "/proc/self/uid_map").split()[1] == str(FIRST)
    engine.docker("rm", "-f", "web")


def test_users_of_a_copied_root_are_mapped_too(
    make_engine: Callable[..., Engine], _subordinate_ids: None
) -> None:
    engine = make_engine(f"--userns-remap={USER}", "--storage-driver=vfs")
    engine.start()
    engine.load("busybox")
    script = "stat -c %u /bin/busybox /proc/1; echo x >/new; grep ' / ' /proc/mounts"
    done = engine.docker("run", "--net=none", "--name=box", "busybox", "sh", "-c", script)
    first, second, mount = done.splitlines()
    assert (first, second) == ("0", "0")
    assert "overlay" not in mount
    found = Path(engine.data, "snapshots", engine.api.inspect("box")["Id"], "tree/new").stat()
    assert found.st_uid == 0


def test_a_user_without_ids_is_named(make_engine: Callable[..., Engine]) -> None:
    engine = make_engine("--userns-remap=games")
    done = subprocess.run(engine.command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode != 0
    assert "invalid userns-remap: no ids of" in done.stdout + done.stderr


def test_volumes_keep_the_owners_that_containers_see(docker: Cli, mapping: Engine) -> None:
    docker(*RUN, "-v", "kept:/bin", "busybox", "sh", "-c", "echo x > /bin/f; chown 5:6 /bin/f")
    place = Path(docker("volume", "inspect", "-f", "{{.Mountpoint}}", "kept"))
    assert (owners(place), owners(place / "f")) == ((0, 0), (5, 6))
    seen = docker(*RUN, "-v", "kept:/x", "busybox", "stat", "-c", "%u %g", "/x", "/x/f")
    assert seen.split("\n") == ["0 0", "5 6"]
    docker("volume", "rm", "kept")
