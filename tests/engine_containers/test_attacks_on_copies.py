"""Containers that want ``docker cp`` to read, write or load what is not theirs.

As with the attacks on the runtime each is made twice: against ``cp``, where it fails, and with the
defence taken out, where it succeeds.
"""

import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from boxship.base.errors import BoxshipError
from boxship.engine.containers import copying
from boxship.engine.containers.copying import archive_of, unpack_in
from boxship.engine.containers.record import ContainerRecord
from boxship.engine.engine import Engine
from boxship.runtime.viewing import View
from boxship.storage import tree
from boxship.storage.extracting import Extraction
from boxship.storage.snapshots import DirectoryMount
from support.exchanging import exchanging
from support.killed import scene
from support.opened import Place, make, opened, outcome, until
from support.tars import Member, tar

pytestmark = pytest.mark.privileged

Weaken = pytest.MonkeyPatch
ROUNDS = 60
UNTIL_IT_HITS = 20_000
OWN, HOSTS = b"of the container", b"of the host"
ARCHIVE = tar(Member("made", OWN))


def by_name(directory: int, path: str, flags: int, resolve: int, mode: int = 0) -> int:
    """Open as one does who puts paths together as text."""
    del resolve
    return os.open(f"/proc/self/fd/{directory}/{path.lstrip('/')}", flags | os.O_CLOEXEC, mode)


class Prey:
    """A container's root and a directory of the host's, which has the same path inside.

    ``/data/real`` leads to a directory of the container, ``/data/trap`` to the same path outside.
    """

    def __init__(self, place: Path) -> None:
        self.outside = place / "outside"
        self.outside.mkdir()
        (self.outside / "file").write_bytes(HOSTS)
        self.root = place / "root"
        self.inside = (self.root / "data/real").joinpath(*self.outside.parts[1:])
        self.inside.mkdir(parents=True)
        (self.inside / "file").write_bytes(OWN)
        (self.root / "data/trap").symlink_to("/")
        (self.root / "data/d").mkdir()
        (self.root / "data/d/file").write_bytes(OWN)
        (self.root / "data/out").symlink_to(self.outside)

    def view(self) -> View:
        return View(os.open(self.root, os.O_PATH | os.O_DIRECTORY))

    def read(self, path: str) -> bytes:
        """Copy out; nothing if that is refused."""
        with self.view() as view, contextlib.suppress(BoxshipError):
            return b"".join(archive_of(view, "box", path, as_it_is))
        return b""

    def write(self, path: str, archive: bytes) -> bool:
        """Copy in; tell whether it got out."""
        how = Extraction(as_it_is)
        with self.view() as view, contextlib.suppress(BoxshipError, OSError):
            unpack_in(view, ("box", "volume"), path, iter([archive]), how)
        with contextlib.suppress(FileNotFoundError):
            (self.outside / "made").unlink()
            return True
        return False


def as_it_is(uid: int, gid: int) -> tuple[int, int]:
    return uid, gid


@pytest.fixture
def prey(tmp_path: Path) -> Prey:
    return Prey(tmp_path)


def holds(attack: Callable[[], bool], weaken: Callable[[], None]) -> None:
    """Make the attack again and again, and once more without defence until it succeeds."""
    assert not any(attack() for _ in range(ROUNDS))
    weaken()
    assert any(attack() for _ in range(UNTIL_IT_HITS))


def test_the_way_to_what_is_read_is_exchanged_for_a_link(prey: Prey, monkeypatch: Weaken) -> None:
    """CVE-2018-15664: a path is looked up, and by the time it is used leads elsewhere."""
    path = f"/data/real{prey.outside}/file"
    assert OWN in prey.read(path)
    with exchanging(prey.root / "data/real", prey.root / "data/trap"):
        holds(
            lambda: HOSTS in prey.read(path),
            lambda: monkeypatch.setattr(copying, "openat2", by_name),
        )


def test_the_way_to_what_is_written_is_exchanged_for_a_link(
    prey: Prey, monkeypatch: Weaken
) -> None:
    path = f"/data/real{prey.outside}"

    def weaken() -> None:
        monkeypatch.setattr(copying, "_place", lambda root, fd: tree.split(os.fsencode(path)))
        monkeypatch.setattr(tree, "openat2", by_name)

    with exchanging(prey.root / "data/real", prey.root / "data/trap"):
        holds(lambda: prey.write(path, ARCHIVE), weaken)


def test_a_directory_below_is_exchanged_while_it_is_read(prey: Prey, monkeypatch: Weaken) -> None:
    with exchanging(prey.root / "data/d", prey.root / "data/out"):
        holds(
            lambda: HOSTS in prey.read("/data"),
            lambda: monkeypatch.setattr(tree, "openat2", by_name),
        )


def test_a_directory_below_is_exchanged_while_it_is_written(
    prey: Prey, monkeypatch: Weaken
) -> None:
    archive = tar(Member("d/made", OWN))
    with exchanging(prey.root / "data/d", prey.root / "data/out"):
        holds(
            lambda: prey.write("/data", archive),
            lambda: monkeypatch.setattr(tree, "openat2", by_name),
        )


# ── containers ───────────────────────────────────────────────────────────────────────────────


async def sent(archive: bytes) -> AsyncIterator[bytes]:
    yield archive


async def copied(engine: Engine, path: str, *, own: bool = False) -> bytes:
    """Copy into a directory of the container, and the directory out; refusals are no matter."""
    data = b""
    with contextlib.suppress(BoxshipError):
        await engine.container_files.write("box", path, sent(ARCHIVE), own=own)
    with contextlib.suppress(BoxshipError):
        async for chunk in engine.container_files.read("box", path):
            data += chunk
    return data


def test_a_running_container_exchanges_its_directories(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_bytes(HOSTS)
    script = f"mkdir -p /data/real{outside}; ln -s / /data/trap; exec sleep 1000"

    async def act(place: Place) -> None:
        async with opened(place) as engine:
            await make(engine, "sh", "-c", script, name="box", stop_signal="SIGKILL")
            await engine.containers.start("box")
            path = f"/data/real{outside}"

            async def is_ready() -> bool:
                return OWN in await copied(engine, path)

            await until(is_ready)
            root = Path(f"/proc/{engine.containers.get('box').state.pid}/root")
            with exchanging(root / "data/real", root / "data/trap"):
                taken = [await copied(engine, path) for _ in range(ROUNDS)]
            assert not any(HOSTS in data for data in taken)
            assert os.listdir(outside) == ["file"]

    scene(act)


class Watched:
    """A FIFO in the place of a library: who opens it to load it is noticed, and gets nothing."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        os.mkfifo(path)
        self.loaded = False
        self._over = False
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def _watch(self) -> None:
        os.close(os.open(self._path, os.O_WRONLY))  # comes back when somebody reads
        self.loaded = not self._over

    def end(self) -> None:
        self._over = True
        os.close(os.open(self._path, os.O_RDONLY | os.O_NONBLOCK))
        self._thread.join()


@contextlib.contextmanager
def hostile_library(root: str) -> Iterator[Watched]:
    """Have names of users looked up by a library of the container's."""
    (Path(root) / "etc/nsswitch.conf").write_text("passwd: evil\ngroup: evil\n")
    watched = Watched(Path(root) / "lib/x86_64-linux-gnu/libnss_evil.so.2")
    try:
        yield watched
    finally:
        watched.end()


def ask_the_c_library(view: View, record: ContainerRecord) -> tuple[int, int]:
    """Look a user up as one does who enters the container's root for that."""
    script = "import os, pwd; os.fchdir({}); os.chroot('.'); pwd.getpwnam('{}')"
    command = (sys.executable, "-S", "-c", script.format(view.root, record.config.user))
    subprocess.run(command, pass_fds=(view.root,), check=False, capture_output=True)
    return 0, 0


@pytest.mark.parametrize("runs", [True, False], ids=["running", "stopped"])
def test_no_library_of_the_containers_is_loaded(monkeypatch: Weaken, runs: bool) -> None:
    """CVE-2019-14271: who unpacks in the container's root looks up users with its libraries."""

    async def act(place: Place) -> None:
        place.settings = replace(place.settings, storage_driver="vfs")  # one tree for all who look
        async with opened(place) as engine:
            command = ("sleep", "1000") if runs else ("true",)
            await make(engine, *command, name="box", user="daemon", stop_signal="SIGKILL")
            await engine.containers.start("box")
            if not runs:
                await outcome(engine, "box")
            root = engine._context.snapshots.mount(engine.containers.get("box").id)
            assert isinstance(root, DirectoryMount)
            with hostile_library(root.path) as library:
                assert OWN in await copied(engine, "/tmp", own=True)
                assert not library.loaded
                monkeypatch.setattr(copying, "_user_of", ask_the_c_library)
                await copied(engine, "/tmp", own=True)
                assert library.loaded

    scene(act)
