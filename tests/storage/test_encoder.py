"""Headers that are written can be read back, by our reader and by Python's tarfile."""

import io
import string
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boxship.storage.chunks import ChunkReader
from boxship.storage.tar.encoder import encode_entry
from boxship.storage.tar.header import Entry, Kind
from boxship.storage.tar.reader import TarReader
from boxship.storage.tar.writer import END

_names = st.lists(
    st.binary(min_size=1, max_size=80).filter(lambda name: not set(name) & set(b"\0/.")),
    min_size=1,
    max_size=6,
).map(b"/".join)
_keys = st.text(string.ascii_lowercase, min_size=1, max_size=12).map("user.".__add__)
_plain = [kind for kind in Kind if kind not in (Kind.OTHER, Kind.FILE)]


@st.composite
def entries(draw: st.DrawFn) -> Entry:
    kind = draw(st.sampled_from(_plain))
    is_device = kind in (Kind.CHARACTER_DEVICE, Kind.BLOCK_DEVICE)
    numbers = st.integers(0, 4095), st.integers(0, 1048575)
    return Entry(
        kind,
        draw(_names),
        draw(_names) if kind in (Kind.SYMLINK, Kind.HARD_LINK) else b"",
        draw(st.integers(0, 0o7777)),
        draw(st.integers(0, 2**32 - 2)),
        draw(st.integers(0, 2**32 - 2)),
        0,
        draw(st.integers(-(2**62), 2**62)),
        (draw(numbers[0]), draw(numbers[1])) if is_device else (0, 0),
        draw(st.dictionaries(_keys, st.binary(max_size=200), max_size=3)),
    )


def read(data: bytes) -> Entry:
    found = TarReader(ChunkReader([data])).next()
    assert found is not None
    return found


@given(entries())
def test_what_is_written_is_read(entry: Entry) -> None:
    found = read(encode_entry(entry) + END)
    slash = b"/" if entry.kind is Kind.DIRECTORY else b""
    assert found.name == entry.name + slash
    assert (found.kind, found.link, found.mode, found.uid, found.gid, found.mtime_ns) == (
        entry.kind, entry.link, entry.mode, entry.uid, entry.gid, entry.mtime_ns,
    )  # fmt: skip
    assert (found.device, found.xattrs) == (entry.device, entry.xattrs)


@given(entries())
def test_another_reader_agrees(entry: Entry) -> None:
    data = io.BytesIO(encode_entry(entry) + END)
    with tarfile.open(fileobj=data, encoding="utf-8", errors="surrogateescape") as archive:
        (found,) = archive.getmembers()
    assert found.name.encode(errors="surrogateescape") == entry.name
    assert found.linkname.encode(errors="surrogateescape") == entry.link
    assert (found.mode, found.uid, found.gid) == (entry.mode, entry.uid, entry.gid)


@pytest.mark.parametrize("size", [0, 1, 511, 512, 8**11 - 1, 8**11, 2**50])
def test_sizes_of_any_greatness(size: int) -> None:
    header = encode_entry(Entry(Kind.FILE, b"f", size=size))
    assert read(header + bytes(512)).size == size
    assert len(header) == (512 if size < 8**11 else 3 * 512)


def test_what_fits_needs_no_extension() -> None:
    entry = Entry(Kind.FILE, b"a" * 100, mode=0o4755, uid=2097151, gid=1, mtime_ns=10**18)
    assert len(encode_entry(entry)) == 512


@pytest.mark.parametrize("length", range(80, 120))
def test_the_length_of_a_record_counts_itself(length: int) -> None:
    value = b"v" * length
    assert read(encode_entry(Entry(Kind.FIFO, b"f", xattrs={"user.x": value})) + END).xattrs == {
        "user.x": value
    }
