"""Builds: Docker's client with either builder, an engine in a machine of its own for each.

Both of dockerd's builders are measured against the one that there is here, by its two doors.
"""

import os
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from bench import memory
from bench.rows import Engines, Goal, Row
from bench.timing import milliseconds
from support.cli import Cli
from support.lab import Lab

NOTE = """\
docker build of Docker's client, with networks as they are by default. The classic builder is asked
by DOCKER_BUILDKIT=0, BuildKit by Debian 13's buildx. A context's second build is after a change of
one of its files that nothing is copied from."""
_BUILDX = Path(".cache/trixie/docker-buildx/usr/libexec/docker/cli-plugins/docker-buildx")
_ROUNDS = 5
_STEPS = 20
_FILES = 10_000
_SECONDS = 1
_CLASSIC, _BUILDKIT = "classic builder", "BuildKit"

Labs = Mapping[Engines, Lab]


def builds(versions: Callable[[Labs], None], only: Sequence[Engines]) -> Iterator[Row]:
    """All rows; ``versions`` is shown the machines."""
    kinds = {Engines.DOCKERD: "dockerd", Engines.BOXSHIP: "boxshipd"}
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bx-bench-")))
        labs = {name: stack.enter_context(Lab(kinds[name])) for name in only}
        versions(labs)
        yield from _steps(labs, home)
        yield from _cached(labs, home)
        yield from _copies(labs, home)
        yield from _stages(labs, home)
        yield _memory(labs)


def _client(lab: Lab, home: Path, builder: str) -> Cli:
    plugins = home / "config/cli-plugins"
    if not plugins.exists():
        plugins.mkdir(parents=True)
        (plugins / "docker-buildx").symlink_to(_BUILDX.absolute())
    environment = {
        "DOCKER_HOST": f"unix://{lab.engine.socket}",
        "DOCKER_CONFIG": str(plugins.parent),
        "DOCKER_BUILDKIT": str(int(builder == _BUILDKIT)),
    }
    return Cli(lab.docker.program, environment)


def _in_turns(
    labs: Labs,
    home: Path,
    builder: str,
    build: Callable[[Cli], object],
    before: Callable[[], object] = lambda: None,
) -> dict[Engines, float]:
    """The median of each engine's builds; a first one is not counted."""
    clients = {name: _client(lab, home, builder) for name, lab in labs.items()}
    taken: dict[Engines, list[float]] = {name: [] for name in labs}
    for turn in range(_ROUNDS + 1):
        before()
        for name, client in clients.items():
            took = milliseconds(partial(build, client))
            if turn:
                taken[name].append(took)
    return {name: statistics.median(times) for name, times in taken.items()}


def _steps(labs: Labs, home: Path) -> Iterator[Row]:
    """Programs that do nothing, small writes, one copy."""
    place = home / "steps"
    place.mkdir()
    (place / "file").write_text("a file\n")
    lines = ["FROM busybox", "COPY file /file"]
    while len(lines) < _STEPS:
        lines += ["RUN true", f"RUN echo {len(lines)} >/{len(lines)}"]
    (place / "Dockerfile").write_text("\n".join(lines[:_STEPS]) + "\n")
    for builder, limit in ((_CLASSIC, 0.3), (_BUILDKIT, 0.6)):
        print(f"  steps, {builder} …", file=sys.stderr, flush=True)
        words = ("build", "--quiet", "--no-cache", str(place))
        figures = _in_turns(labs, home, builder, lambda client, w=words: client(*w))  # type: ignore[misc]
        title = f"{_STEPS} steps of RUN and COPY, --no-cache; dockerd with its {builder}"
        yield Row(title, "ms", figures, Goal(limit))


def _context(home: Path) -> Path:
    place = home / "context"
    if not place.exists():
        for number in range(_FILES):
            path = place / f"d{number % 100}" / f"f{number}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{number}\n" * 20)
        (place / "Dockerfile").write_text("FROM busybox\nCOPY . /all\nRUN true\n")
        (place / ".dockerignore").write_text("unused\n")
    return place


def _cached(labs: Labs, home: Path) -> Iterator[Row]:
    """Nothing to do but to find that out."""
    place = _context(home)
    print("  cached …", file=sys.stderr, flush=True)
    words = ("build", "--quiet", str(place))

    def change() -> None:
        (place / "unused").write_text(os.urandom(8).hex())

    figures = _in_turns(labs, home, _BUILDKIT, lambda client: client(*words), change)
    title = f"all cached, {_FILES:,} files in the context; dockerd with its BuildKit"
    yield Row(title, "ms", figures, Goal(500, of_dockerd=False))


def _copies(labs: Labs, home: Path) -> Iterator[Row]:
    place = _context(home)
    print("  copies …", file=sys.stderr, flush=True)
    words = ("build", "--quiet", "--no-cache", str(place))
    figures = _in_turns(labs, home, _BUILDKIT, lambda client: client(*words))
    title = f"COPY of {_FILES:,} files, --no-cache; dockerd with its BuildKit"
    yield Row(title, "ms", figures, Goal(1.0))


def _stages(labs: Labs, home: Path) -> Iterator[Row]:
    """Stages that sleep, which all can at once."""
    place = home / "stages"
    place.mkdir()
    names = ("a", "b", "c", "d")
    lines = [
        f"FROM busybox AS {name}\nRUN sleep {_SECONDS}; echo {name} >/{name}" for name in names
    ]
    lines += ["FROM busybox", *(f"COPY --from={name} /{name} /" for name in names)]
    (place / "Dockerfile").write_text("\n".join(lines) + "\n")
    print("  stages …", file=sys.stderr, flush=True)
    words = ("build", "--quiet", "--no-cache", str(place))
    figures = _in_turns(labs, home, _BUILDKIT, lambda client: client(*words))
    title = f"4 independent stages of {_SECONDS} s; dockerd with its BuildKit"
    yield Row(title, "ms", figures, Goal(2000 * _SECONDS, of_dockerd=False))


def _memory(labs: Labs) -> Row:
    figures = {name: memory.rss(lab.engine.processes()) for name, lab in labs.items()}
    return Row(
        "engine after all this, RSS of all its processes",
        "MB",
        figures,
        Goal(250, of_dockerd=False),
    )
