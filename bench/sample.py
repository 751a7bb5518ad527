"""The images of the image benchmarks: 5 layers, 30,000 files, 600 MB, the same everywhere.

Sizes and contents are like those of an installed system: most files are small, a few hold most of
the bytes; about half of it is text, a third code and tables, the rest compressed already. A
*sibling* has the same four lower layers and another top.

    .cache/bench/<key>/{image,sibling}-<number>.tar    archives as `docker save` writes them; the
                                                       key is the hash of this module, so that an
                                                       edit makes them anew

Images of different numbers are alike, but have no file in common.
"""

import fcntl
import functools
import hashlib
import os
import random
import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

from support.images import archive

IMAGE, SIBLING = "boxship-bench:image", "boxship-bench:sibling"
LAYERS = 5
FILES = 30_000
BYTES = 600_000_000

_CACHE = Path(__file__).parents[1] / ".cache" / "bench"
_FILES_OF_DIRECTORY = 12
_DIRECTORIES_OF_PARENT = 20
_POOL = 16 << 20
_WORDS = 6000
_SPREAD = 1.9  # sigma of the log-normal distribution of sizes
_SHARES = {"text": 50, "code": 35, "noise": 15}
_SEEDS = 100  # apart from those of the next image

_Entry = tuple[tarfile.TarInfo, bytes]


def image(number: int = 0) -> Path:
    """The archive of an image; made when it is asked for the first time."""
    return _ensure("image", number)


def sibling(number: int = 0) -> Path:
    """The archive of the image with the same four lower layers."""
    return _ensure("sibling", number)


def layer(destination: Path, seed: int, *, files: int, size: int) -> None:
    """Write a layer of ``files`` files of about ``size`` bytes in all."""
    archive.write_layer(destination, list(_entries(seed, files, size)))


def _ensure(kind: str, number: int) -> Path:
    home = _CACHE / hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:12]
    home.mkdir(parents=True, exist_ok=True)
    target = home / f"{kind}-{number}.tar"
    with (home / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.exists():
            scratch = Path(tempfile.mkdtemp(dir=home, prefix="making-"))
            try:
                for made, path in _make(scratch, number).items():
                    os.rename(path, home / f"{made}-{number}.tar")
            finally:
                shutil.rmtree(scratch)
    return target


def _make(scratch: Path, number: int) -> dict[str, Path]:
    """Write an image and its sibling; return the archives by kind."""
    seeds = [number * _SEEDS + part for part in range(LAYERS + 1)]
    tars = [scratch / f"{seed}.tar" for seed in seeds]
    for seed, tar in zip(seeds, tars, strict=True):
        layer(tar, seed, files=FILES // LAYERS, size=BYTES // LAYERS)
    layers = [archive.Layer(tar, f"RUN install part {tar.stem}") for tar in tars]
    *below, top, another_top = layers
    archives = {}
    for kind, tag, one in ("image", IMAGE, top), ("sibling", SIBLING, another_top):
        archives[kind] = scratch / f"{kind}.tar"
        archive.write(archive.Image((tag,), (*below, one), {"Cmd": ["true"]}), archives[kind])
    return archives


def _entries(seed: int, files: int, size: int) -> Iterator[_Entry]:
    dice = random.Random(seed)
    pools = _pools()
    top = f"usr{seed}"
    yield archive.directory(top), b""
    for number, length in enumerate(_sizes(dice, files, size)):
        place, first = divmod(number, _FILES_OF_DIRECTORY)
        above, first_of_parent = divmod(place, _DIRECTORIES_OF_PARENT)
        parent = f"{top}/part{above:02}"
        directory = f"{parent}/directory{place:03}"
        if not first:
            if not first_of_parent:
                yield archive.directory(parent), b""
            yield archive.directory(directory), b""
            yield archive.link(f"{directory}/latest", f"file{number:05}"), b""
        kind = dice.choices(list(_SHARES), list(_SHARES.values()))[0]
        mode = 0o755 if kind == "code" else 0o644
        data = _piece(dice, pools[kind], length)
        yield archive.file(f"{directory}/file{number:05}", data, mode)


@functools.cache
def _pools() -> dict[str, bytes]:
    """What files are cut out of, far longer than any compressor looks back."""
    dice = random.Random(0)
    return {"text": _text(dice), "code": _code(dice), "noise": dice.randbytes(_POOL)}


def _sizes(dice: random.Random, files: int, size: int) -> list[int]:
    drawn = [dice.lognormvariate(0, _SPREAD) for _ in range(files)]
    scale = size / sum(drawn)
    return [int(one * scale) for one in drawn]


def _piece(dice: random.Random, pool: bytes, length: int) -> bytes:
    """A run of the pool from anywhere, more of it one after the other if it is too short."""
    start = dice.randrange(len(pool))
    piece = pool[start : start + length]
    while len(piece) < length:
        piece += pool[: length - len(piece)]
    return piece


def _text(dice: random.Random) -> bytes:
    """Words as frequent as those of a language, in lines."""
    letters = "etaoinshrdlucmfwypvbgkjqxz_ETS0123456789"
    weights = [1 / (rank + 3) for rank in range(len(letters))]
    words = ["".join(dice.choices(letters, weights, k=dice.randint(1, 12))) for _ in range(_WORDS)]
    frequencies = [1 / (rank + 2) for rank in range(_WORDS)]
    separators = dice.choices([" ", "  ", ", ", "(", ") ", ";\n    ", "\n"], k=_POOL // 6)
    drawn = dice.choices(words, frequencies, k=_POOL // 6)
    text = "".join(word + mark for word, mark in zip(drawn, separators, strict=True))
    return text.encode()[:_POOL]


def _code(dice: random.Random) -> bytes:
    """Bytes as unevenly distributed as those of programs, with runs of zeros and repeated parts."""
    weights = [1 / (value % 64 + 2) for value in range(256)]
    table = bytes(dice.choices(range(256), weights, k=256))
    pieces: list[bytes] = []
    size = 0
    while size < _POOL:
        choice = dice.random()
        if choice < 0.15:
            piece = bytes(dice.randint(8, 200))
        elif choice < 0.5 and pieces:
            piece = pieces[-dice.randint(1, min(len(pieces), 60))]
        else:
            piece = dice.randbytes(dice.randint(20, 200)).translate(table)
        pieces.append(piece)
        size += len(piece)
    return b"".join(pieces)[:_POOL]
