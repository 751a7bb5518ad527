"""Images: archives, a registry, memory and disk.

Two engines of each kind: *loaders* load, save and push, *pullers* pull what dockerd has pushed. All
of it happens in one network namespace with Debian's docker-registry on its loopback. Each round has
an image of its own, so that nothing is deleted before the end: for minutes after a deletion ext4 is
several times slower, and whoever comes next would pay for it. Before each figure is taken,
everything is on the disk.
"""

import os
import statistics
import subprocess
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench import memory, sample
from bench.rows import Engines, Goal, Row
from bench.timing import milliseconds
from boxship.kernel import namespaces
from boxship.kernel.namespaces import CLONE_FLAGS
from support.dockerd import Dockerd
from support.engine import Engine
from support.registries import RegistryServer
from support.waiting import eventually

ROUNDS = 3
NOTE = """\
The client is Docker's for both. Boxship answers a load or pull once all of it would survive a loss
of power (syncfs, begun after each layer); dockerd 20.10 writes down its records (fsync) and leaves
files to the kernel. Nothing is deleted before `rmi`, with all engines' data on one file system."""
_PATIENCE = 600.0
_SIBLINGS = "*/bench/sample:sibling"
_CONTENT = {Engines.DOCKERD: ("overlay2",), Engines.BOXSHIP: ("layers", "blobs", "l")}
_TRASH = {Engines.DOCKERD: (), Engines.BOXSHIP: ("tmp",)}

Contestants = Mapping[Engines, Engine]


@dataclass
class _Figures:
    """What was measured, by row and engine; a figure for each round."""

    taken: dict[str, dict[Engines, list[float]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(list))
    )

    def add(self, row: str, engine: Engines, figure: float) -> None:
        self.taken[row][engine].append(figure)

    def time(self, row: str, engine: Engines, action: Callable[[], object]) -> None:
        os.sync()
        self.add(row, engine, milliseconds(action))

    def medians(self, row: str) -> dict[Engines, float]:
        return {name: statistics.median(taken) for name, taken in self.taken[row].items()}


def images(versions: Callable[[Contestants], None]) -> Iterator[Row]:
    """All rows; ``versions`` is shown the engines."""
    figures = _Figures()
    with ExitStack() as stack:
        stack.enter_context(_private_network())
        loaders, pullers = _engines(stack), _engines(stack)
        versions(loaders)
        for number in range(ROUNDS):
            registries = {name: stack.enter_context(RegistryServer()) for name in Engines}
            for name, engine in loaders.items():
                _archive(figures, name, engine, number)
                _push(figures, name, engine, registries[name].host)
            _push_sibling(loaders[Engines.DOCKERD], registries[Engines.DOCKERD].host, number)
            for name, engine in pullers.items():
                _pull(figures, name, engine, registries[Engines.DOCKERD].host)
        for name in Engines:
            both = loaders[name], pullers[name]
            peak = max(memory.peak(engine.processes()) for engine in both)
            figures.add("peak", name, peak)
            _remove(figures, name, loaders[name])
    yield from _rows(figures)


def _rows(figures: _Figures) -> Iterator[Row]:
    what = f"{sample.BYTES // 10**6} MB, {sample.LAYERS} layers, {sample.FILES:,} files"
    yield Row(f"docker load -i ({what})", "ms", figures.medians("load"), Goal(1.0))
    yield Row("docker save -o", "ms", figures.medians("save"), Goal(1.0))
    yield Row("docker push, to an empty registry", "ms", figures.medians("push"), Goal(0.3))
    yield Row("docker pull", "ms", figures.medians("pull"), Goal(1.0))
    yield Row("docker pull, 4 of 5 layers are here", "ms", figures.medians("sibling"), Goal(1.0))
    yield Row("bytes that this one moved", "MB", figures.medians("moved"), Goal(1.05))
    yield Row("docker rmi, until its answer", "ms", figures.medians("rmi"))
    yield Row("docker rmi, until the disk is free again", "ms", figures.medians("freed"))
    yield Row(
        "peak memory of the engine's processes", "MB", figures.medians("peak"),
        Goal(250, of_dockerd=False),
    )  # fmt: skip
    yield Row("disk that an image needs", "MB", figures.medians("disk"), Goal(1.05))


def _archive(figures: _Figures, name: Engines, engine: Engine, number: int) -> None:
    archive = sample.image(number)
    before = _disk(name, engine)
    figures.time("load", name, lambda: _docker(engine, "load", "-q", "-i", str(archive)))
    figures.add("disk", name, _disk(name, engine) - before)
    target = str(engine.home / "saved.tar")
    figures.time("save", name, lambda: _docker(engine, "save", "-o", target, sample.IMAGE))
    os.unlink(target)


def _push(figures: _Figures, name: Engines, engine: Engine, host: str) -> None:
    remote = f"{host}/bench/sample:image"
    _docker(engine, "tag", sample.IMAGE, remote)
    figures.time("push", name, lambda: _docker(engine, "push", "-q", remote))


def _push_sibling(engine: Engine, host: str, number: int) -> None:
    remote = f"{host}/bench/sample:sibling"
    _docker(engine, "load", "-q", "-i", str(sample.sibling(number)))
    _docker(engine, "tag", sample.SIBLING, remote)
    _docker(engine, "push", "-q", remote)


def _pull(figures: _Figures, name: Engines, engine: Engine, host: str) -> None:
    image, sibling = f"{host}/bench/sample:image", f"{host}/bench/sample:sibling"
    figures.time("pull", name, lambda: _docker(engine, "pull", "-q", image))
    before = _received()
    figures.time("sibling", name, lambda: _docker(engine, "pull", "-q", sibling))
    figures.add("moved", name, (_received() - before) / 1e6)


def _remove(figures: _Figures, name: Engines, engine: Engine) -> None:
    siblings = engine.docker("image", "ls", "--quiet", "--filter", f"reference={_SIBLINGS}")
    if siblings:
        _docker(engine, "rmi", "--force", *dict.fromkeys(siblings.split()))
    ids = engine.docker("image", "ls", "--quiet", "--no-trunc").split()

    def remove() -> None:
        answered = milliseconds(lambda: _docker(engine, "rmi", "--force", *dict.fromkeys(ids)))
        figures.add("rmi", name, answered)
        eventually(lambda: not _trash(name, engine), "the end of deleting", timeout=_PATIENCE)

    figures.time("freed", name, remove)


def _trash(name: Engines, engine: Engine) -> list[str]:
    return [entry for place in _TRASH[name] for entry in os.listdir(engine.data / place)]


def _disk(name: Engines, engine: Engine) -> float:
    """Allocated megabytes of an engine's image data."""
    places = [str(engine.data / place) for place in _CONTENT[name]]
    done = subprocess.run(["du", "-sk", "-c", *places], stdout=subprocess.PIPE, check=True)
    return int(done.stdout.split()[-2]) * 1024 / 1e6


def _received() -> int:
    """Bytes that came over this network namespace's loopback so far."""
    for line in Path("/proc/self/net/dev").read_text().splitlines():
        interface, _, counters = line.partition(":")
        if interface.strip() == "lo":
            return int(counters.split()[0])
    raise LookupError("no loopback")


def _docker(engine: Engine, *words: str) -> None:
    done = engine.docker.run(*words, timeout=_PATIENCE)
    assert done.code == 0, f"docker {' '.join(words)}: {done}"


def _engines(stack: ExitStack) -> dict[Engines, Engine]:
    # Without networks of their own: two of them in one namespace would meet.
    dockerd = Dockerd("--bridge=none", "--iptables=false", own_network=False)
    return {
        Engines.DOCKERD: stack.enter_context(dockerd),
        Engines.BOXSHIP: stack.enter_context(Engine()),
    }


@contextmanager
def _private_network() -> Iterator[None]:
    """A network namespace for this process and all that it starts."""
    before = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        namespaces.unshare(CLONE_FLAGS["net"])
        namespaces.loopback_up()
        yield
    finally:
        namespaces.setns(before, CLONE_FLAGS["net"])
        os.close(before)
