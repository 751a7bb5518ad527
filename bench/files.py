"""Files into a container and out of it: `cp` and `export`, with Docker's client for both.

A tree of 500 MB in 5,000 files, like a directory of an installed system.
"""

import os
import shutil
import statistics
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from bench import sample
from bench.rows import Engines, Goal, Row
from bench.timing import milliseconds
from support.engine import Engine

FILES = 5_000
BYTES = 500_000_000
_ROUNDS = 5
_PATIENCE = 600
_ROWS = {
    "in": f"docker cp of {BYTES / 1e6:.0f} MB in {FILES:,} files into a container",
    "out": "docker cp of the same out of it",
    "export": "docker export of it",
}


def files(engines: Mapping[Engines, Engine]) -> Iterator[Row]:
    """A container that was never started, another in each round: nothing is overwritten."""
    taken: dict[str, dict[Engines, list[float]]] = {what: {} for what in _ROWS}
    with tempfile.TemporaryDirectory(prefix="boxship-bench-") as scratch:
        tree = _tree(Path(scratch))
        for _ in range(_ROUNDS):
            for name, engine in engines.items():
                for what, took in _round(engine, tree, Path(scratch, "out")):
                    taken[what].setdefault(name, []).append(took)
    for what, title in _ROWS.items():
        figures = {name: statistics.median(times) for name, times in taken[what].items()}
        yield Row(title, "ms", figures, Goal(1.0))


def _round(engine: Engine, tree: Path, out: Path) -> Iterator[tuple[str, float]]:
    engine.api.create("files", Cmd=["true"])
    os.sync()  # what the round before has left to be written
    yield "in", milliseconds(lambda: _docker(engine, "cp", str(tree), "files:/"))
    yield "out", milliseconds(lambda: _docker(engine, "cp", "files:/tree", str(out)))
    yield "export", milliseconds(lambda: _export(engine))
    shutil.rmtree(out)
    engine.api.remove("files")


def _tree(scratch: Path) -> Path:
    archive, tree = scratch / "tree.tar", scratch / "tree"
    sample.layer(archive, 0, files=FILES, size=BYTES)
    tree.mkdir()
    subprocess.run(["tar", "-xf", str(archive), "-C", str(tree)], check=True)
    archive.unlink()
    return tree


def _export(engine: Engine) -> None:
    words = [engine.docker.program, "-H", f"unix://{engine.socket}", "export", "files"]
    with open(os.devnull, "wb") as nowhere:
        subprocess.run(words, stdout=nowhere, check=True, timeout=_PATIENCE)


def _docker(engine: Engine, *words: str) -> None:
    done = engine.docker.run(*words, timeout=_PATIENCE)
    assert done.code == 0, f"docker {' '.join(words)}: {done}"
