"""The tar reader: every byte comes out, entries mean what tarfile and GNU tar say they mean."""

import contextlib
import io
import os
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from boxship.storage.chunks import ChunkReader, TruncatedError
from boxship.storage.tar.header import Entry, Kind, TarError, number, parse_header
from boxship.storage.tar.reader import TarReader
from boxship.storage.tar.writer import END, directory_header, file_header, padding
from support.tars import Member, directory, hard_link, pieces, symlink, tar

FORMATS = {
    "ustar": tarfile.USTAR_FORMAT,
    "gnu": tarfile.GNU_FORMAT,
    "pax": tarfile.PAX_FORMAT,
}


def read(data: bytes, sizes: tuple[int, ...] = ()) -> tuple[list[tuple[Entry, bytes]], bytes]:
    """Entries with payloads, and everything put together again."""
    reader = TarReader(ChunkReader(pieces(data, sizes)))
    entries, again = [], b""
    while entry := reader.next():
        again += reader.take_framing()
        payload = b""
        while piece := reader.read():
            payload += piece
        again += payload
        entries.append((entry, payload))
    return entries, again + b"".join(reader.tail())


_name = st.text(
    st.characters(blacklist_characters="\0/", blacklist_categories=["Cs"]), min_size=1, max_size=40
).filter(lambda name: name not in (".", ".."))
_path = st.lists(_name, min_size=1, max_size=8).map("/".join)
_member = st.one_of(
    st.builds(
        Member,
        _path,
        st.binary(max_size=1500),
        mode=st.integers(0, 0o7777),
        uid=st.integers(0, 2**31),
        gid=st.integers(0, 2**31),
        mtime=st.integers(0, 2**33),
    ),
    st.builds(directory, _path),
    st.builds(symlink, _path, _path),
    st.builds(hard_link, _path, _path),
    st.builds(
        lambda name, device: Member(name, type=tarfile.CHRTYPE, device=device),
        _path,
        st.tuples(st.integers(0, 255), st.integers(0, 255)),
    ),
)
_KINDS = {
    tarfile.REGTYPE: Kind.FILE,
    tarfile.DIRTYPE: Kind.DIRECTORY,
    tarfile.SYMTYPE: Kind.SYMLINK,
    tarfile.LNKTYPE: Kind.HARD_LINK,
    tarfile.CHRTYPE: Kind.CHARACTER_DEVICE,
}


@given(
    st.lists(_member, max_size=8),
    st.sampled_from(["gnu", "pax"]),
    st.lists(st.integers(1, 700), max_size=40).map(tuple),
)
@settings(max_examples=200, deadline=None)
def test_every_byte_and_every_field_comes_out(
    members: list[Member], dialect: str, sizes: tuple[int, ...]
) -> None:
    data = tar(*members, format=FORMATS[dialect])
    entries, again = read(data, sizes)
    assert again == data
    assert len(entries) == len(members)
    for (entry, payload), member in zip(entries, members, strict=True):
        assert payload == member.data
        assert entry.kind is _KINDS[member.type]
        assert entry.name.decode().rstrip("/") == member.name
        assert entry.link.decode() == member.link
        assert (entry.mode, entry.uid, entry.gid) == (member.mode, member.uid, member.gid)
        assert (entry.device, entry.size) == (member.device, len(member.data))
        assert entry.mtime_ns == int(member.mtime) * 10**9


@given(st.binary(max_size=3000), st.integers(0, 2500), st.sampled_from(list(FORMATS)))
@settings(max_examples=200, deadline=None)
def test_damage_is_an_error_of_ours_and_never_anything_else(
    noise: bytes, at: int, dialect: str
) -> None:
    whole = tar(Member("a", b"x" * 600), directory("d"), format=FORMATS[dialect])
    data = whole[:at] + noise + whole[at + len(noise) :]
    with contextlib.suppress(TarError, TruncatedError):
        assert read(data)[1] == data


def test_ustar_prefix_is_part_of_the_name() -> None:
    name = "/".join(["directory"] * 16) + "/file"
    entries, _ = read(tar(Member(name, b"x"), format=tarfile.USTAR_FORMAT))
    assert entries[0][0].name == name.encode()


def test_pax_overrides_fields_and_carries_what_they_cannot() -> None:
    records = {
        "mtime": "1350244992.023960108",
        "SCHILY.xattr.user.note": "grüße",
        "linkpath": "",
        "comment": "not for us",
    }
    ((entry, _),), _ = read(tar(Member("n" * 300, b"x", uid=2**40, pax=records)))
    assert entry.name == b"n" * 300
    assert entry.uid == 2**40
    assert entry.mtime_ns == 1_350_244_992_023_960_108
    assert entry.xattrs == {"user.note": "grüße".encode()}


def test_times_before_the_epoch() -> None:
    ((entry, _),), _ = read(tar(Member("old", pax={"mtime": "-1.25"})))
    assert entry.mtime_ns == -1_250_000_000


def test_global_pax_records_are_kept_and_not_applied() -> None:
    out = io.BytesIO()
    with tarfile.open(
        fileobj=out, mode="w", format=tarfile.PAX_FORMAT, pax_headers={"uname": "x", "path": "y"}
    ) as archive:
        archive.addfile(tarfile.TarInfo("real"))
    entries, again = read(out.getvalue())
    assert [entry.name for entry, _ in entries] == [b"real"]
    assert again == out.getvalue()


def test_names_that_are_not_utf8() -> None:
    data = tar(Member("bad\udcff\udc80name", b"1"), format=tarfile.GNU_FORMAT)
    assert read(data)[0][0][0].name == b"bad\xff\x80name"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        (b"0000644\0", 0o644),
        (b" 644 \0\0\0", 0o644),
        (b"\0\0\0\0\0\0\0\0", 0),
        (b"        ", 0),
        (b"\x80\0\0\0\0\0\x01\x00", 256),
        (b"\xff\xff\xff\xff\xff\xff\xff\xff", -1),
        (b"\x80\0\0\0\x02\0\0\0\0\0\0\0", 2**57),
    ],
)
def test_numbers(field: bytes, value: int) -> None:
    assert number(field) == value


@pytest.mark.parametrize(
    "field", [b"0o17\0\0\0\0", b"1_0\0\0\0\0\0", b"-7\0\0\0\0\0\0", b"9\0\0\0\0\0\0\0"]
)
def test_what_python_takes_for_a_number_and_tar_does_not(field: bytes) -> None:
    with pytest.raises(TarError):
        number(field)


def test_links_and_directories_have_no_payload_whatever_their_size_says() -> None:
    member = tarfile.TarInfo("d")
    member.type, member.size = tarfile.DIRTYPE, 512
    data = member.tobuf(tarfile.USTAR_FORMAT) + tar(Member("after", b"x"))
    entries, again = read(data)
    assert [entry.name.rstrip(b"/") for entry, _ in entries] == [b"d", b"after"]
    assert again == data


@pytest.mark.parametrize("cut", [1, 511, 513, 600, 1100])
def test_an_archive_cut_short_is_an_error(cut: int) -> None:
    with pytest.raises(TruncatedError):
        read(tar(Member("a", b"x" * 1000))[:cut])


@pytest.mark.parametrize("length", [512 + 100, 1024])
def test_missing_end_marker_and_last_padding_are_fine(length: int) -> None:
    data = tar(Member("a", b"x" * 100))[:length]
    entries, again = read(data)
    assert (len(entries), again) == (1, data)


def test_what_follows_the_end_is_kept() -> None:
    data = tar(Member("a", b"x")) + b"\0" * 512 + b"trailing rubbish"
    assert read(data)[1] == data


def test_huge_extensions_are_refused_before_they_are_read() -> None:
    block = tarfile.TarInfo("x")
    block.type, block.size = tarfile.XHDTYPE, 1 << 40
    with pytest.raises(TarError, match="1 MiB"):
        read(block.tobuf(tarfile.GNU_FORMAT) + bytes(1024))


SPARSE = ["--format=gnu", *(f"--format=pax --sparse-version={v}" for v in ("0.0", "0.1", "1.0"))]


@pytest.mark.parametrize("options", SPARSE)
def test_sparse_files_as_gnu_tar_writes_them(tmp_path: Path, options: str) -> None:
    if (
        b"GNU tar"
        not in subprocess.run(["tar", "--version"], check=True, capture_output=True).stdout
    ):
        pytest.skip("tar is not GNU tar")
    with (tmp_path / "holes").open("wb") as stream:
        for chunk in range(30):  # more than fit into the first header
            stream.seek(chunk * 200_000)
            stream.write(b"%04d" % chunk * 1024)
        stream.truncate(7_000_000)
    if os.stat(tmp_path / "holes").st_blocks * 512 > 6_000_000:
        pytest.skip("this file system has no holes")
    command = ["tar", "-C", str(tmp_path), *options.split(), "-S", "-cf", "-", "holes"]
    data = subprocess.run(command, check=True, capture_output=True).stdout
    ((entry, payload),), again = read(data, (1000,) * 50)
    assert again == data
    assert (entry.name, entry.size) == (b"holes", 7_000_000)
    assert entry.extents is not None
    rebuilt = bytearray(entry.size)
    at = 0
    for offset, length in entry.extents:
        rebuilt[offset : offset + length] = payload[at : at + length]
        at += length
    assert bytes(rebuilt) == (tmp_path / "holes").read_bytes()


@pytest.mark.parametrize(
    "extents", ["0,10,5,10", "0,-1", "0,10,x,1", "0,100", "0,5", "0,10,20", "0," + "9" * 30]
)
def test_lying_sparse_maps_are_refused(extents: str) -> None:
    records = {"GNU.sparse.map": extents, "GNU.sparse.size": "50"}
    with pytest.raises(TarError):
        read(tar(Member("s", b"0123456789", pax=records)))


@pytest.mark.parametrize("program", [["busybox", "tar"], ["tar"], ["tar", "--format=v7"]])
def test_archives_of_other_programs(tmp_path: Path, program: list[str]) -> None:
    if shutil.which(program[0]) is None:
        pytest.skip(f"{program[0]} is not installed")
    (tmp_path / "dir").mkdir()
    (tmp_path / "dir" / "file").write_bytes(b"content")
    (tmp_path / "dir" / ("long" * 20)).write_bytes(b"x")
    (tmp_path / "dir" / "link").symlink_to("file")
    (tmp_path / "dir" / "hard").hardlink_to(tmp_path / "dir" / "file")
    command = [*program, "-C", str(tmp_path), "-cf", "-", "dir"]
    data = subprocess.run(command, check=True, capture_output=True).stdout
    entries, again = read(data)
    assert again == data
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        expected = [(m.name, m.mode, m.linkname) for m in archive]
    found = [
        (entry.name.decode().rstrip("/"), entry.mode, entry.link.decode()) for entry, _ in entries
    ]
    assert found == expected


def test_our_own_headers_are_read_by_python() -> None:
    data = directory_header("d/") + file_header("d/f", 3, mode=0o600) + b"abc" + padding(3) + END
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        member = archive.getmember("d/f")
        stream = archive.extractfile(member)
        assert stream is not None
        assert (member.mode, stream.read()) == (0o600, b"abc")
    assert parse_header(file_header("big", 10 << 30)).size == 10 << 30
