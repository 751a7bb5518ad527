"""Programs of steps: what they get, what they see, what is left of them. One engine for all."""

import asyncio
import contextlib
import glob
import io
import os
import re
import signal
import subprocess
import sys
import tarfile
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from boxship.base.errors import (
    BoxshipError,
    InvalidArgumentError,
    StartRefusedError,
    UnavailableError,
)
from boxship.engine.build.agents import relayed
from boxship.engine.build.executing import Executor, StepExitError
from boxship.engine.build.trees import DirectoryTree, Extras, LayersTree, Tree
from boxship.engine.engine import Engine
from boxship.engine.settings import UserMaps
from boxship.kernel.mounts import mount, umount2
from boxship.model.check import Finding
from boxship.oci.runtime import IdMapping
from boxship.solver.operations import (
    BindMount,
    CacheMount,
    Copy,
    Exec,
    FileActions,
    Limits,
    Mount,
    SecretMount,
    SshMount,
    TmpfsMount,
    Ulimit,
)
from boxship.storage.layers import Layer, Lease
from support.opened import Place, opened, until

pytestmark = pytest.mark.privileged

SECRET = b"nobody-must-ever-read-this"


@dataclass
class Workbench:
    """An engine whose loop runs while a test asks something of it."""

    loop: asyncio.AbstractEventLoop
    engine: Engine
    place: Place
    executor: Executor
    lease: Lease
    base: LayersTree
    said: dict[int, bytes] = field(default_factory=dict)

    def do(self, work: Awaitable[Any]) -> Any:
        return self.loop.run_until_complete(asyncio.wait_for(work, 30))

    def step(
        self, *args: str, inputs: Sequence[Tree] = (), extras: Extras | None = None, **more: Any
    ) -> Awaitable[Layer]:
        """Run a program over busybox; `inputs` follow it."""
        self.said = {1: b"", 2: b""}

        def tell(stream: int, data: bytes) -> None:
            self.said[stream] += data

        step = Exec(args=args, **more)
        given = (self.base, *inputs)
        return self.executor.run(step, given, extras or Extras(), self.lease, tell)

    def sh(self, script: str, **more: Any) -> str:
        """What a shell script says; an error if it fails."""
        self.do(self.step("/bin/sh", "-ec", script, **more))
        return self.said[1].decode()

    def settle(self) -> None:
        """Wait until nothing of a step is left."""
        chores = self.engine._context.background._chores
        self.do(until(lambda: not chores and _left(self.place) == []))

    def names(self, layer: Layer) -> list[str]:
        diff = Path(self.executor._storage.layers.diff_directory(layer.digest))
        return sorted(str(path.relative_to(diff)) for path in diff.rglob("*"))


@pytest.fixture(scope="module")
def _workbench() -> Iterator[Workbench]:
    loop = asyncio.new_event_loop()
    place = Place()
    stack = contextlib.AsyncExitStack()
    try:
        engine = loop.run_until_complete(stack.enter_async_context(opened(place)))
        storage = engine.checker._storage
        held = stack.enter_context(engine.images.hold("busybox"))
        lease = stack.enter_context(storage.layers.lease())
        executor = Executor(engine._context, storage)
        bench = Workbench(loop, engine, place, executor, lease, LayersTree(tuple(held.layers)))
        bench.do(_all_threads(loop))
        # SQLite closes no descriptor of a file that is locked by another one of the process: the
        # one of the first look stays, for those that follow.
        bench.do(engine._database.examine(mend=False))
        yield bench
    finally:
        loop.run_until_complete(stack.aclose())
        loop.close()
        place.close()


async def _all_threads(loop: asyncio.AbstractEventLoop) -> None:
    """Have every thread there that an engine starts late: it stays for the next test."""
    loop.set_default_executor(ThreadPoolExecutor(2))
    both = threading.Barrier(2)
    await asyncio.gather(asyncio.to_thread(both.wait), asyncio.to_thread(both.wait))
    await until(lambda: any(t.name.startswith("events") for t in threading.enumerate()))


@pytest.fixture
def bench(_workbench: Workbench) -> Iterator[Workbench]:
    """Whatever a test does, nothing of a step is left afterwards."""
    yield _workbench
    _workbench.settle()


def _left(place: Place) -> list[str]:
    directories = ("data/containers", "data/snapshots", "exec/c", "exec/sources")
    return [f"{each}/{name}" for each in directories for name in place.names(each)]


# ── what a program gets ──────────────────────────────────────────────────────────────────────


def test_what_it_is_started_with(bench: Workbench) -> None:
    layer = bench.do(
        bench.step(
            "/bin/sh", "-c", "pwd; id -u; id -g; hostname; env | sort; echo wrong >&2",
            env=("A=1", "B=two words"), cwd="/srv/deep", user="7:8",
            extras=Extras(environment=("http_proxy=http://proxy",)),
        )
    )  # fmt: skip
    path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    lines = bench.said[1].decode().splitlines()
    assert lines[:4] == ["/srv/deep", "7", "8", "buildkitsandbox"]
    assert {"A=1", "B=two words", "http_proxy=http://proxy", path} <= set(lines)
    assert not any(line.startswith("HOSTNAME=") for line in lines)
    assert bench.said[2].splitlines()[0] == b"wrong"
    assert bench.names(layer) == ["srv", "srv/deep"]


def test_what_it_writes_is_a_layer(bench: Workbench) -> None:
    layer = bench.do(bench.step("/bin/sh", "-c", "rm /bin/true; mkdir /a; echo x >/a/b"))
    assert bench.names(layer) == ["a", "a/b", "bin", "bin/true"]
    assert layer.entries == 4
    upon = LayersTree((*bench.base.layers, layer.digest))
    assert bench.sh("cat /a/b; test ! -e /bin/true", root=1, inputs=(upon,)) == "x\n"
    assert bench.do(bench.step("/bin/true")).entries == 0


_DEEDS = """
rm -r /var/spool; mkdir -p /var/spool/new; mv /etc/passwd /etc/moved; ln /etc/moved /etc/second
ln -s moved /etc/passwd; chmod 4711 /etc/moved; chown 3:4 /etc/second; rm -rf /home; mknod /n c 1 3
mkfifo /fifo; truncate -s 3m /hole; echo end >>/hole; touch -d 2001-02-03 /old; mkdir -m 1777 /s
cp -a /etc /copy; rm /copy/group; cat /bin/true >/bin/false; touch '/odd  name' /.wh.odd
chmod 700 /; rm -r /tmp; ln -s /var /tmp
"""


def test_whatever_it_does_makes_a_sound_layer(bench: Workbench) -> None:
    """Checked as the store is checked; and its tar says the same as its tree."""
    layer = bench.do(bench.step("/bin/sh", "-c", _DEEDS))
    names = bench.names(layer)
    assert {"etc/moved", "copy/group", "home", "hole", "fifo"} - set(names) == {"copy/group"}
    assert ".wh.odd" not in names
    store = bench.executor._storage.layers

    async def findings() -> list[object]:
        found = [each async for each in bench.engine.checker.check(repair=False)]
        return [each for each in found if isinstance(each, Finding)]

    assert bench.do(findings()) == []
    data = b"".join(map(bytes, store.tar(layer.digest)))
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        members = {member.name: member for member in archive}
    assert {".wh.home", "etc/passwd"} <= set(members)
    assert members["etc/second"].islnk() or members["etc/moved"].islnk()
    upon = LayersTree((*bench.base.layers, layer.digest))
    text = bench.sh("ls -a /var/spool; cat /etc/passwd | head -1; ls /copy/group || true",
                    root=1, inputs=(upon,))  # fmt: skip
    assert text.splitlines()[2:4] == ["new", "root:x:0:0:root:/root:/bin/sh"]


def test_input_and_script(bench: Workbench) -> None:
    bench.do(bench.step("/bin/cat", stdin="some input"))
    assert bench.said[1] == b"some input"
    script = "#!/bin/sh\necho from the script: $0 $1\n"
    layer = bench.do(bench.step("/dev/pipes/EOF", "arg", script=script))
    assert bench.said[1] == b"from the script: /dev/pipes/EOF arg\n"
    assert layer.entries == 0


@pytest.mark.parametrize(
    ("args", "error", "words"),
    [
        (("/bin/sh", "-c", "exit 3"), StepExitError, "exit code: 3"),
        (("/nope",), StartRefusedError, "/nope"),
        (("/etc/passwd",), StartRefusedError, "permission denied"),
    ],
)
def test_how_it_fails(
    bench: Workbench, args: tuple[str, ...], error: type[BoxshipError], words: str
) -> None:
    with pytest.raises(error) as raised:
        bench.do(bench.step(*args))
    assert words in str(raised.value)


def test_what_a_failed_step_wrote_can_be_kept(bench: Workbench) -> None:
    with pytest.raises(StepExitError) as raised:
        bench.sh("echo x >/found; exit 7", extras=Extras(keep_failed=True))
    assert raised.value.exit_code == 7
    assert raised.value.layer is not None
    assert bench.names(raised.value.layer) == ["found"]


def test_nobody_of_that_name(bench: Workbench) -> None:
    with pytest.raises(BoxshipError, match="nosuch"):
        bench.do(bench.step("/bin/true", user="nosuch"))


def test_limits_hold(bench: Workbench) -> None:
    limits = Limits(
        memory=32 << 20, memory_swap=32 << 20, shm_size=2 << 20, cpu_shares=77,
        ulimits=(Ulimit("nofile", 100, 200),),
    )  # fmt: skip
    text = bench.sh(
        "ulimit -n; cat /sys/fs/cgroup/pids.max /sys/fs/cgroup/pids/pids.max 2>/dev/null || true;"
        "df -k /dev/shm | tail -1",
        extras=Extras(limits=limits),
    )
    first, processes, *_ = text.splitlines()
    assert first == "100"
    assert 0 < int(processes) < int(Path("/proc/sys/kernel/pid_max").read_text()) // 5
    assert re.search(r"\s2048\s", text)
    with pytest.raises(StepExitError) as raised:
        bench.sh("tail -c 100m /dev/zero | wc -c >/dev/null; exit 5", extras=Extras(limits=limits))
    assert raised.value.exit_code == 5 or raised.value.oom_killed


def test_rights_and_networks(bench: Workbench) -> None:
    rights = "grep CapEff /proc/self/status; "
    sandbox = bench.sh(f"{rights}ls /sys/class/net", network="none").split()
    # Not its interfaces: others' come and go.
    host = f"{rights}readlink /proc/self/ns/net"
    insecure = bench.sh(host, network="host", security="insecure").split()
    assert sandbox[1] == "00000000a80425fb"
    assert int(insecure[1], 16) > int(sandbox[1], 16)
    assert sandbox[2:] == ["lo"]
    assert insecure[2:] == [os.readlink("/proc/self/ns/net")]
    hosts = bench.sh("cat /etc/hosts", extra_hosts=(("else", "10.9.8.7"),))
    assert "10.9.8.7\telse" in hosts


# ── what it sees ─────────────────────────────────────────────────────────────────────────────


def mounted(bench: Workbench, script: str, *mounts: Mount, **more: Any) -> str:
    """What a script says with mounts, none of which leaves a trace in its layer."""
    layer = bench.do(bench.step("/bin/sh", "-ec", script, mounts=mounts, **more))
    assert bench.names(layer) == []
    return bench.said[1].decode()


def test_parts_of_other_trees(bench: Workbench, tmp_path: Path) -> None:
    (tmp_path / "dir").mkdir()
    (tmp_path / "dir/file").write_text("of the context")
    (tmp_path / "evil").symlink_to("/etc")
    context = DirectoryTree(str(tmp_path))
    text = mounted(
        bench,
        "cat /ctx/dir/file /one; ls /var/run/x/y/busybox; ! touch /ctx/new; ! touch /mnt/b/new",
        BindMount("/ctx", 1),
        BindMount("/one", 1, "/dir/file"),
        BindMount("/mnt/b", 0, "/bin"),
        BindMount("/var/run/x/y", 0, "/bin"),
        inputs=(context,),
    )
    assert text == "of the contextof the context/var/run/x/y/busybox\n"
    for source in ("/nope", "/evil/passwd", "../../etc"):
        with pytest.raises(InvalidArgumentError):
            mounted(bench, "cat /x", BindMount("/x", 1, source), inputs=(context,))


def test_what_is_written_to_a_bind_mount_is_thrown_away(bench: Workbench, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("old")
    mounts = (BindMount("/ctx", 1, writable=True), BindMount("/b", 0, "/bin", writable=True))
    script = "echo new >/ctx/file; rm /b/true; touch /b/more; cat /ctx/file"
    for _ in range(2):
        assert mounted(bench, script, *mounts, inputs=(DirectoryTree(str(tmp_path)),)) == "new\n"
    assert (tmp_path / "file").read_text() == "old"


def test_a_tmpfs(bench: Workbench) -> None:
    text = mounted(bench, "df -k /t | tail -1; cp /bin/true /t; /t/true", TmpfsMount("/t", 4 << 20))
    assert re.search(r"\s4096\s", text)


def test_secrets_are_in_no_layer_and_on_no_disk(bench: Workbench) -> None:
    mounts = (
        SecretMount("one", "/run/secrets/one", mode=0o440, uid=7, gid=8),
        SecretMount("two", variable="TWO"),
        SecretMount("missing", "/run/secrets/missing"),
    )
    extras = Extras(secrets={"one": SECRET, "two": SECRET})
    text = mounted(
        bench,
        "ls -ln /run/secrets; cat /run/secrets/one; echo; echo $TWO; ! echo >/run/secrets/one",
        *mounts,
        extras=extras,
    )
    assert text.count(SECRET.decode()) == 2
    assert re.search(r"-r--r-----\s+1 7\s+8\s", text)
    assert "missing" not in text
    bench.settle()  # what is being deleted goes from under who looks at it
    for path in bench.place.home.rglob("*"):
        if path.is_file() and not path.is_symlink():
            assert SECRET not in path.read_bytes(), path


def test_caches_stay(bench: Workbench) -> None:
    cache = CacheMount("/root/.cache", "id", mode=0o750, uid=7)
    assert mounted(bench, "ls -lnd /root/.cache; echo x >/root/.cache/x", cache).split()[2] == "7"
    assert mounted(bench, "cat /c/x", CacheMount("/c", "id", read_only=True)) == "x\n"
    assert mounted(bench, "ls /c", CacheMount("/c", "other")) == ""
    seeded = CacheMount("/c", "seeded", input=0, source="/etc")
    assert "passwd" in mounted(bench, "ls /c; rm /c/passwd", seeded).split()
    assert "passwd" not in mounted(bench, "ls /c", seeded).split()
    found = {each.id: each for each in bench.executor.caches.all()}
    assert set(found) == {"id", "other", "seeded"}
    assert found["id"].uses == 2
    for each in found.values():
        assert bench.executor.caches.remove(each.name)
    assert bench.executor.caches.all() == []


@pytest.mark.parametrize(
    ("sharing", "meets"), [("shared", True), ("private", False), ("locked", False)]
)
def test_who_shares_a_cache(bench: Workbench, sharing: str, meets: bool) -> None:
    """Each of two steps leaves a mark, and looks for the other's as long as both can run."""
    cache = CacheMount("/c", f"meet-{sharing}", sharing=sharing)

    async def both() -> None:
        async def one(number: int) -> None:
            if meets:
                script = f"touch /c/{number}; until test -e /c/{1 - number}; do usleep 5000; done"
            elif sharing == "locked":
                script = "ls /c; test ! -e /c/busy; touch /c/busy; usleep 100000; rm /c/busy"
            else:
                script = f"touch /c/{number}; usleep 200000; test ! -e /c/{1 - number}"
            step = Exec(args=("/bin/sh", "-ec", script), mounts=(cache,))
            await bench.executor.run(step, (bench.base,), Extras(), bench.lease, lambda *_: None)

        await asyncio.gather(one(0), one(1))

    bench.do(both())
    made = [each for each in bench.executor.caches.all() if each.id == cache.id]
    assert len(made) == (2 if sharing == "private" else 1)
    for each in made:
        bench.executor.caches.remove(each.name)


def test_one_step_and_another_with_several_locked_caches(bench: Workbench) -> None:
    """Neither waits for itself, nor they for each other."""

    async def both() -> None:
        def step(*ids: str) -> Awaitable[Layer]:
            mounts = [CacheMount(f"/{n}", each, "locked") for n, each in enumerate(ids)]
            script = "touch /0/seen; ls /0 /1"
            given = Exec(("/bin/sh", "-ec", script), mounts=tuple(mounts))
            inputs = (bench.base,)
            return bench.executor.run(given, inputs, Extras(), bench.lease, lambda *_: None)

        await asyncio.gather(step("a", "b"), step("b", "a"), step("a", "a"))

    bench.do(both())
    same = (CacheMount("/x", "a", "locked"), CacheMount("/y", "a"))
    assert mounted(bench, "touch /x/new; ls /y", *same).split() == ["new", "seen"]
    for each in bench.executor.caches.all():
        bench.executor.caches.remove(each.name)


def test_who_has_a_cache_for_itself_has_it_against_all(bench: Workbench) -> None:
    async def look() -> None:
        caches = bench.executor.caches

        def held(sharing: str) -> Any:
            return caches.held([(CacheMount("/", "c", sharing), (LayersTree(), "/"))])

        async with held("locked") as mine, held("shared") as other:
            assert mine["c"] != other["c"]
            async with held("shared") as third, held("private") as fourth:
                assert third == other
                assert fourth["c"] not in (mine["c"], other["c"])
            last = held("locked")
            waiting = asyncio.ensure_future(last.__aenter__())
        assert (await waiting)["c"] in (mine["c"], other["c"], fourth["c"])
        await last.__aexit__(None, None, None)
        assert all(caches.remove(each.name) for each in caches.all() if each.id == "c")

    bench.do(look())


class Agent:
    """An agent that says everything back, in capitals."""

    def __init__(self) -> None:
        self._data: asyncio.Queue[bytes] = asyncio.Queue()

    async def connect(self) -> "Agent":
        return self

    async def read(self) -> bytes:
        return await self._data.get()

    async def write(self, data: bytes) -> None:
        self._data.put_nowait(data.upper())

    async def close(self) -> None:
        self._data.put_nowait(b"")


def test_agents_answer(bench: Workbench) -> None:
    """Seen from the host, where the socket lies for as long as the step runs."""
    sockets = f"{bench.place.home}/exec/sources/*/memory/*"

    async def asked() -> bytes:
        mounts = (SshMount("default", "/run/agent.0", uid=5), SshMount("absent", "/run/other"))
        script = "echo $SSH_AUTH_SOCK; ls -ln /run; sleep 60"
        extras = Extras(agents={"default": Agent()})
        step = bench.step("/bin/sh", "-c", script, mounts=mounts, extras=extras)
        task = asyncio.ensure_future(step)
        await until(lambda: b"agent.0\n" in bench.said[1][20:])
        reader, writer = await asyncio.open_unix_connection(*glob.glob(sockets))
        writer.write(b"hello")
        answer = await reader.read(5)
        writer.close()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return answer

    assert bench.do(asked()) == b"HELLO"
    first, _, line = bench.said[1].decode().splitlines()
    assert first == "/run/agent.0"
    assert line.split()[0] == "srw-------"
    assert line.split()[2] == "5"


def test_an_agents_socket_may_have_a_long_path(tmp_path: Path, bench: Workbench) -> None:
    """Longer than the address of a socket may be."""
    place = tmp_path / ("x" * 120)
    place.mkdir()

    async def asked() -> None:
        async with relayed(Agent(), f"{place}/socket"):
            assert (place / "socket").is_socket()
        with pytest.raises(UnavailableError, match="ssh agent"):
            async with relayed(Agent(), f"{place}/none/socket"):
                pass

    bench.do(asked())


def test_a_device_that_is_optional_may_be_absent(bench: Workbench) -> None:
    assert bench.sh("echo ran", optional_devices=("no.such/device=one",)) == "ran\n"
    with pytest.raises(InvalidArgumentError, match=r"no\.such/device=one"):
        bench.sh("echo ran", devices=("no.such/device=one",))


# ── its end ──────────────────────────────────────────────────────────────────────────────────


def processes(mark: str) -> list[str]:
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            if mark.encode() in Path(f"/proc/{pid}/cmdline").read_bytes():
                found.append(pid)
    return found


def test_whoever_stops_waiting_ends_all_of_it(bench: Workbench) -> None:
    """However fast it forks, and whatever it ignores."""
    mark = f"mark-{os.urandom(6).hex()}"
    script = f"trap '' TERM; while :; do sh -c 'sleep 60; true' {mark} & usleep 500; done"

    async def cancelled() -> None:
        task = asyncio.ensure_future(bench.step("/bin/sh", "-c", script, mark))
        await until(lambda: len(processes(mark)) > 20)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    bench.do(cancelled())
    assert processes(mark) == []


_KILLED = """
import asyncio, os, signal, sys
from support.opened import Place, opened
from boxship.engine.build.executing import Executor
from boxship.engine.build.trees import Extras, LayersTree
from boxship.solver.operations import Exec, SecretMount

async def main():
    place = Place()
    print(place.home, flush=True)
    async with opened(place) as engine:
        storage = engine.checker._storage
        executor = Executor(engine._context, storage)
        with engine.images.hold("busybox") as image, storage.layers.lease() as lease:
            base = LayersTree(tuple(image.layers))
            mounts = (SecretMount("s", "/s"),)
            words = ("/bin/sh", "-c", "touch /x; echo x; sleep 60; true", sys.argv[1])
            step = Exec(words, mounts=mounts)
            tell = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
            await executor.run(step, [base], Extras(secrets={"s": b"x"}), lease, tell)

asyncio.run(main())
"""


def test_the_next_daemon_ends_what_a_killed_one_leaves() -> None:
    mark = f"mark-{os.urandom(6).hex()}"
    killed = subprocess.run(
        [sys.executable, "-c", _KILLED, mark],
        stdout=subprocess.PIPE,
        text=True,
        check=False,
        cwd=Path(__file__).parents[1],
    )
    assert killed.returncode == -signal.SIGKILL
    place = Place.__new__(Place)
    place.home = Path(killed.stdout.split()[0])
    place.settings = Place.settings_of(place.home)
    assert processes(mark)
    assert _left(place)

    async def look() -> tuple[list[str], list[str]]:
        async with opened(place):
            await until(lambda: processes(mark) == [])
            return _left(place), processes(mark)

    try:
        assert asyncio.run(look()) == ([], [])
    finally:
        place.close()


def test_mapped_users_find_their_files(tmp_path: Path) -> None:
    """Whatever a step mounts belongs to those whom it belongs to without mapping."""
    place = Place()
    ids = (IdMapping(0, 100_000, 65_536),)
    place.settings = replace(place.settings, user_maps=UserMaps(ids, ids))
    (tmp_path / "file").write_text("x")
    mounts = (
        BindMount("/a", 1), BindMount("/b", 1, writable=True), BindMount("/c", 0, "/etc"),
        BindMount("/d", 0, "/etc", writable=True), CacheMount("/e", "e"),
        SecretMount("s", "/f", uid=3),
    )  # fmt: skip
    script = (
        "cut -c1-30 /proc/self/uid_map; stat -c '%u %n' /a/file /b/file /c/passwd /d/passwd /e /f;"
        "touch /b/new /d/new /e/new; cat /f; touch /mine; chown 5:6 /mine"
    )
    said = []

    async def run() -> tuple[int, int]:
        async with opened(place) as engine:
            storage = engine.checker._storage
            executor = Executor(engine._context, storage)
            with engine.images.hold("busybox") as image, storage.layers.lease() as lease:
                inputs = (LayersTree(tuple(image.layers)), DirectoryTree(str(tmp_path)))
                step = Exec(("/bin/sh", "-ec", script), mounts=mounts)
                extras = Extras(secrets={"s": SECRET})
                layer = await executor.run(
                    step, inputs, extras, lease, lambda _, data: said.append(data)
                )
                found = os.lstat(f"{storage.layers.diff_directory(layer.digest)}/mine")
                return found.st_uid, found.st_gid

    try:
        assert asyncio.run(run()) == (5, 6)
        storage_remains = place.remains()
    finally:
        place.close()
    assert storage_remains == []
    first, *lines = b"".join(said).decode().splitlines()
    assert first.split()[:2] == ["0", "100000"]
    assert [line.split()[0] for line in lines[:6]] == ["0", "0", "0", "0", "0", "3"]
    assert lines[6] == SECRET.decode()


def test_a_full_disk_leaves_nothing(tmp_path: Path) -> None:
    """A step that fills it fails; the next one finds the room again."""
    home = tmp_path / "disk"
    home.mkdir()
    mount("tmpfs", str(home), "tmpfs", 0, "size=24m")
    place = Place()
    place.settings = replace(
        place.settings, data_root=f"{home}/data", exec_root=f"{place.home}/exec"
    )
    (tmp_path / "large").write_bytes(os.urandom(1 << 20) * 30)

    async def run() -> list[str]:
        async with opened(place) as engine:
            storage = engine.checker._storage
            executor = Executor(engine._context, storage)
            with engine.images.hold("busybox") as image, storage.layers.lease() as lease:
                inputs = (LayersTree(tuple(image.layers)), DirectoryTree(str(tmp_path)))
                said: list[bytes] = []

                async def step(script: str) -> Layer:
                    given = Exec(("/bin/sh", "-ec", script))
                    return await executor.run(
                        given, inputs, Extras(), lease, lambda _, data: said.append(data)
                    )

                with pytest.raises(StepExitError):
                    await step("cat /dev/zero >/x")
                assert b"No space left on device" in b"".join(said)
                with pytest.raises(UnavailableError, match="No space left"):
                    await executor.files(FileActions((Copy(1, "/large", "/x"),)), inputs, lease)
                await asyncio.to_thread(storage.disposal.settle)
                assert (await step("head -c 8m /dev/zero >/x")).size == 8 << 20
            return os.listdir(f"{home}/data/snapshots")

    try:
        assert asyncio.run(run()) == []
    finally:
        umount2(str(home))
        place.close()


def test_a_launcher_that_dies_ends_no_step() -> None:
    """One that is asked next finds another launcher."""
    place = Place()

    async def run() -> list[str]:
        async with opened(place) as engine:
            storage = engine.checker._storage
            executor = Executor(engine._context, storage)
            with engine.images.hold("busybox") as image, storage.layers.lease() as lease:
                inputs = (LayersTree(tuple(image.layers)),)
                up = asyncio.Event()

                def step(script: str, said: Callable[[int, bytes], None]) -> Awaitable[Layer]:
                    given = Exec(("/bin/sh", "-ec", script), network="none")
                    return executor.run(given, inputs, Extras(), lease, said)

                running = asyncio.ensure_future(step("echo up; sleep 60", lambda *_: up.set()))
                await up.wait()
                os.kill(engine.launcher_pid, signal.SIGKILL)
                await step("true", lambda *_: None)
                assert not running.done()
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)
            return place.remains()

    try:
        assert asyncio.run(run()) == []
    finally:
        place.close()


def test_who_waits_for_a_cache_keeps_nobody_else_from_running() -> None:
    place = Place()

    async def run() -> None:
        async with opened(place) as engine:
            storage = engine.checker._storage
            executor = Executor(engine._context, storage, asyncio.Semaphore(2))
            with engine.images.hold("busybox") as image, storage.layers.lease() as lease:
                inputs = (LayersTree(tuple(image.layers)),)
                up = asyncio.Event()

                def step(script: str, *mounts: Mount) -> "asyncio.Task[Layer]":
                    given = Exec(("/bin/sh", "-ec", script), mounts=mounts)
                    tell = lambda *_: up.set()  # noqa: E731
                    return asyncio.ensure_future(executor.run(given, inputs, Extras(), lease, tell))

                locked = CacheMount("/c", "c", "locked")
                holding = step("echo up; sleep 60", locked)
                await up.wait()
                waiting = [step("true", locked) for _ in range(3)]
                await step("true")
                assert not any(task.done() for task in (holding, *waiting))
                holding.cancel()
                await asyncio.gather(holding, *waiting, return_exceptions=True)
                assert not any(task.exception() for task in waiting)

    try:
        asyncio.run(run())
        assert place.remains() == []
    finally:
        place.close()
