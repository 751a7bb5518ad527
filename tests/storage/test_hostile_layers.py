"""Layers that mean harm: the reader refuses or reads exactly, and unpacking stays inside."""

import os
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from boxship.storage.chunks import ChunkReader, TruncatedError
from boxship.storage.layers import MalformedLayerError
from boxship.storage.storage import Storage
from boxship.storage.tar.header import TarError
from boxship.storage.tar.reader import TarReader
from support import hostile
from support.hostile import BLOCK, archives, extension, header, pax

END = bytes(2 * BLOCK)
MEBIBYTE = 1 << 20


def read_through(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Every byte of an archive as the reader gives it back."""
    reader = TarReader(ChunkReader(chunks))
    while reader.next():
        yield reader.take_framing()
        while piece := reader.read():
            yield bytes(piece)
    for rest in reader.tail():
        yield bytes(rest)


@given(archives(), st.integers(1, 2000))
@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
def test_what_is_read_is_read_to_the_byte(data: bytes, step: int) -> None:
    chunks = (data[at : at + step] for at in range(0, len(data), step))
    try:
        again = b"".join(read_through(chunks))
    except (TarError, TruncatedError) as error:
        assert str(error)
        return
    assert again == data


def endless(first: bytes, block: bytes, count: int) -> Iterator[bytes]:
    """An archive of many mebibytes that nobody has to hold."""
    yield first
    many = block * (MEBIBYTE // len(block))
    for _ in range(count):
        yield many


EXTENDED = header(b"S", b"f", size=b"1", magic=b"ustar  \0", tail=b"0".ljust(96, b"\0") + b"\1")
MAP_BLOCK = (b"00000000001\0" * 42).ljust(504, b"\0") + b"\1" + bytes(7)


@pytest.mark.parametrize(
    ("first", "block"),
    [
        pytest.param(EXTENDED, MAP_BLOCK, id="sparse-map-without-end"),
        pytest.param(b"", extension(b"x", b"\n" * 0), id="empty-extended-headers"),
        pytest.param(b"", extension(b"g", b"12 a=bcdefgh\n" * 4000), id="global-headers"),
        pytest.param(b"", extension(b"L", b"n" * 60_000), id="long-names"),
        pytest.param(b"", pax({"path": b"p" * 60_000}), id="pax-headers"),
    ],
)
def test_headers_without_end_are_refused_before_they_fill_the_memory(
    first: bytes, block: bytes
) -> None:
    tracemalloc.start()
    try:
        with pytest.raises((TarError, TruncatedError)):
            for _ in read_through(endless(first, block, 200)):
                pass
        assert tracemalloc.get_traced_memory()[1] < 64 * MEBIBYTE
    finally:
        tracemalloc.stop()


def test_a_sparse_map_in_many_small_lines_is_read_quickly() -> None:
    lines = b"200000\n" + b"0\n0\n" * 200_000
    records = {"GNU.sparse.major": b"1", "GNU.sparse.minor": b"0", "GNU.sparse.realsize": b"0"}
    data = pax(records) + header(b"0", b"f", size=b"%o" % len(hostile.padded(lines)))
    data += hostile.padded(lines) + END
    tracemalloc.start()
    try:
        b"".join(read_through(iter([data])))
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 64 * MEBIBYTE


# ── unpacking ────────────────────────────────────────────────────────────────────────────────


class Place:
    """A store, and beside it files that no archive may reach."""

    def __init__(self, path: Path) -> None:
        self.outside = path / "outside"
        self.outside.mkdir()
        (self.outside / "file").write_text("untouched")
        self.root = path / "root"
        self.storage = Storage.open(str(self.root))

    def unpack(self, data: bytes) -> None:
        """Unpack; give it back to the byte; remove it. A refusal leaves nothing."""
        layers = self.storage.layers
        with layers.lease() as lease:
            try:
                layer = layers.unpack(iter([data]), lease)
            except MalformedLayerError as error:
                assert str(error).startswith("invalid layer archive: ")
            else:
                assert b"".join(map(bytes, layers.tar(layer.digest))) == data
        layers.remove([layer.digest for layer in layers.all()], set())
        self.storage.disposal.settle()
        self.check()

    def check(self) -> None:
        assert os.listdir(self.root / "tmp") == []
        assert os.listdir(self.root / "l") == []
        assert os.listdir(self.root / "layers/sha256") == []
        assert os.listdir(self.outside) == ["file"]
        assert (self.outside / "file").read_text() == "untouched"
        assert (self.outside / "file").stat().st_nlink == 1
        assert sorted(os.listdir(self.outside.parent)) == ["outside", "root"]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.mark.privileged
@given(data=archives())
@settings(max_examples=250, deadline=None, suppress_health_check=list(HealthCheck))
def test_unpacking_stays_inside_and_leaves_nothing(place: Place, data: bytes) -> None:
    place.unpack(data)


@pytest.mark.privileged
@pytest.mark.parametrize(
    "parts",
    [
        pytest.param([pax({"path": b"n\0ul"}), header(b"0", b"f")], id="nul-in-name"),
        pytest.param([pax({"linkpath": b"n\0ul"}), header(b"2", b"f")], id="nul-in-link"),
        pytest.param([pax({"linkpath": b"n\0ul"}), header(b"1", b"f")], id="nul-in-hard-link"),
        pytest.param([pax({"SCHILY.xattr.user.\0": b"x"}), header(b"0", b"f")], id="nul-in-xattr"),
        pytest.param([pax({"SCHILY.xattr.": b"x"}), header(b"0", b"f")], id="xattr-without-name"),
        pytest.param(
            [pax({"SCHILY.xattr.user." + "n" * 300: b"x"}), header(b"0", b"f")], id="long-xattr"
        ),
        pytest.param(
            [pax({"SCHILY.xattr.user.big": b"x" * 70_000}), header(b"0", b"f")], id="xattr-too-big"
        ),
        pytest.param(
            [pax({"SCHILY.xattr.security.capability": b"x"}), header(b"0", b"f")], id="bad-caps"
        ),
        pytest.param(
            [pax({"SCHILY.xattr.system.posix_acl_access": b"x"}), header(b"0", b"f")], id="bad-acl"
        ),
        pytest.param(
            [header(b"3", b"dev", major=b"\x80" + b"\x7f" * 7)], id="device-number-too-big"
        ),
        pytest.param([header(b"3", b"dev", major=b"\xff" * 8)], id="device-number-negative"),
        pytest.param([header(b"0", b"f", mode=b"\x80" + b"\x7f" * 7)], id="mode-too-big"),
        pytest.param([header(b"0", b"f", mode=b"\xff" * 8)], id="mode-negative"),
        pytest.param([header(b"0", b"f", mtime=b"\x80" + b"\x7f" * 11)], id="time-too-late"),
        pytest.param([header(b"2", b"a", b"b"), header(b"2", b"b", b"a"), header(b"0", b"a/x")],
                     id="links-in-a-circle"),
        pytest.param([header(b"2", b"a", b"/"), header(b"0", b"a/../../x")], id="up-by-link"),
        pytest.param([header(b"1", b"a", b"a")], id="hard-link-to-itself"),
        pytest.param([header(b"1", b"a", b"b"), header(b"1", b"b", b"a")], id="hard-circle"),
        pytest.param([pax({"path": b"d/" * 900 + b"f"}), header(b"0", b"f")], id="deep"),
        pytest.param([pax({"path": b"d/" * 30_000 + b"f"}), header(b"0", b"f")], id="deeper"),
        pytest.param(
            [pax({"GNU.sparse.map": b"0,1", "GNU.sparse.size": b"1" + b"0" * 17}),
             header(b"0", b"f", size=b"1"), hostile.padded(b"x")],
            id="sparse-beyond-any-disk",
        ),
    ],
)  # fmt: skip
def test_what_no_file_system_takes_is_refused_or_left_out(place: Place, parts: list[bytes]) -> None:
    place.unpack(b"".join(parts) + END)
