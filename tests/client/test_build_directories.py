"""Directories of builds: what is selected, how it travels, and what may come back."""

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote_plus

import pytest

from boxship.client.buildkit.directories import (
    LocalDirectory,
    MemoryDirectory,
    Selection,
    Source,
)
from boxship.client.buildkit.following import followed
from boxship.client.buildkit.link import Call, Link
from boxship.client.buildkit.receiving import file_send, to_directory, to_file
from boxship.client.buildkit.sending import file_sync
from boxship.client.engine import HijackedStream
from boxship.client.http import ResponseHead
from boxship.client.transport import PlainConnection
from boxship.wire.buildkit import filesync, methods
from boxship.wire.buildkit.filesync import Packet, PacketType, Stat
from boxship.wire.buildkit.wellknown import BytesMessage
from boxship.wire.grpc.status import GrpcError
from boxship.wire.protobuf import decode, encode


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "context"
    for name in ("a/b/c.txt", "a/d.txt", "a.txt", "docs/x.md", "docs/keep/y.md", "z"):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    os.symlink("a/b", root / "link")
    return root


def paths(root: Path, **selection: tuple[str, ...]) -> list[str]:
    return [each.path for each in LocalDirectory(str(root)).walk(Selection(**selection))]


def test_everything_is_sent_directories_first_and_siblings_by_bytes(tree: Path) -> None:
    assert paths(tree) == [
        "a", "a/b", "a/b/c.txt", "a/d.txt", "a.txt", "docs", "docs/keep", "docs/keep/y.md",
        "docs/x.md", "link", "z",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        ({"include": ("a/b",)}, ["a", "a/b", "a/b/c.txt"]),
        ({"include": ("*.txt",)}, ["a.txt"]),
        ({"include": ("**/*.txt",)}, ["a", "a/b", "a/b/c.txt", "a/d.txt", "a.txt"]),
        ({"include": ("docs/*/y.md",)}, ["docs", "docs/keep", "docs/keep/y.md"]),
        ({"exclude": ("a", "docs")}, ["a.txt", "link", "z"]),
        (
            {"exclude": ("a", "docs", "!docs/keep")},
            ["a.txt", "docs", "docs/keep", "docs/keep/y.md", "link", "z"],
        ),
        ({"include": ("docs",), "exclude": ("**/*.md", "!docs/x.md")},
         ["docs", "docs/keep", "docs/x.md"]),
        ({"follow": ("link/c.txt",)}, ["a", "a/b", "a/b/c.txt", "link"]),
        ({"follow": ("nothing",)}, []),
        ({"include": ("z",), "follow": ("a.txt",)}, ["a.txt", "z"]),
    ],
)  # fmt: skip
def test_a_part_is_selected(
    tree: Path, selection: dict[str, tuple[str, ...]], expected: list[str]
) -> None:
    assert paths(tree, **selection) == expected


def test_the_whole_directory_is_selected_by_its_own_name(tree: Path) -> None:
    assert paths(tree, follow=(".",)) == paths(tree)


def test_links_are_followed_but_never_out_of_the_root(tree: Path) -> None:
    os.symlink("../../etc", tree / "out")
    os.symlink("/a", tree / "rooted")
    os.symlink("loop", tree / "loop")
    assert followed(str(tree), ("out/passwd",)) == ("etc/passwd", "out")
    assert followed(str(tree), ("rooted/d.txt",)) == ("a/d.txt", "rooted")
    assert followed(str(tree), ("loop",)) == ("loop",)
    assert followed(str(tree), ("docs/*.md", "docs/keep/y.md")) == (
        "docs/keep/y.md",
        "docs/x.md",
    )


def test_what_a_path_is(tree: Path) -> None:
    os.chmod(tree / "z", 0o4751)
    os.mkfifo(tree / "pipe")
    os.utime(tree / "z", ns=(5, 7_000_000_001))
    found = {each.path: each for each in LocalDirectory(str(tree)).walk(Selection())}
    assert found["z"].mode == 0o751 | filesync.GO_SETUID
    assert (found["z"].size, found["z"].modified_ns, found["z"].uid) == (1, 7_000_000_001, 0)
    assert found["a"].mode & filesync.GO_DIRECTORY
    assert (found["link"].linkname, found["link"].size) == ("a/b", 3)
    assert found["link"].mode & filesync.GO_SYMLINK
    assert found["pipe"].mode & filesync.GO_NAMED_PIPE


@contextmanager
def served(services: dict[str, Callable[[Call], None]]) -> Iterator[Link]:
    ours, theirs = socket.socketpair()
    head = ResponseHead(101, ())
    client = HijackedStream(PlainConnection(ours), head, b"")
    server = HijackedStream(PlainConnection(theirs), head, b"")
    with Link(server, serve=lambda call: services[call.path](call)), Link(client) as link:
        yield link


def packets(call: Call) -> Iterator[Packet]:
    while (message := call.receive()) is not None:
        yield decode(message, Packet)


def ask(
    link: Link, name: str, wanted: Callable[[Stat], bool], **selection: str
) -> dict[str, bytes | None]:
    """What a builder does that wants the content of some files."""
    metadata = {filesync.DIR_NAME: (name,)}
    metadata |= {key.replace("_", "-"): (value,) for key, value in selection.items()}
    call = link.call(methods.FILE_SYNC.path, metadata=metadata)
    stats: list[Stat] = []
    contents: dict[str, bytes | None] = {}
    open_files: set[int] = set()
    listed = False
    for packet in packets(call):
        if packet.type == PacketType.FIN:
            break
        if packet.type == PacketType.DATA:
            before = contents[stats[packet.id].path] or b""
            contents[stats[packet.id].path] = before + packet.data
            if not packet.data:
                open_files.discard(packet.id)
        elif packet.stat is None:
            listed = True
        else:
            contents[packet.stat.path] = b"" if wanted(packet.stat) else None
            if wanted(packet.stat):
                call.send(encode(Packet(type=PacketType.REQ, id=len(stats))))
                open_files.add(len(stats))
            stats.append(packet.stat)
        if listed and not open_files:
            call.send(encode(Packet(type=PacketType.FIN)))
    call.end_input()
    assert call.receive() is None
    return contents


def is_file(stat: Stat) -> bool:
    return not stat.mode & filesync.GO_TYPE


def test_only_what_is_asked_for_travels(tree: Path) -> None:
    (tree / "big").write_bytes(b"x" * 1_000_000)
    sources: dict[str, Source] = {"context": LocalDirectory(str(tree))}
    with served(file_sync(sources)) as link:
        everything = ask(link, "context", is_file)
        nothing = ask(link, "context", lambda stat: False)
    assert everything["a/b/c.txt"] == b"a/b/c.txt"
    assert everything["big"] == b"x" * 1_000_000
    assert everything["a"] is None
    assert set(nothing) == set(everything)
    assert set(nothing.values()) == {None}


@pytest.mark.parametrize("name", ["a ", " b", "\u00fc +x", "tab\t", "%41"])
def test_what_no_header_may_be_is_understood(tmp_path: Path, name: str) -> None:
    """As the daemon asks for it, and as BuildKit does: in the way of forms, where plus is space."""
    (tmp_path / name).write_text("x")
    (tmp_path / "other").write_text("x")
    with served(file_sync({"context": LocalDirectory(str(tmp_path))})) as link:
        encoded = {"followpaths": quote_plus(name), "followpaths_encoded": "1"}
        assert ask(link, "context", is_file, **encoded) == {name: b"x"}


def test_files_that_are_on_no_disk_travel_as_well() -> None:
    sources: dict[str, Source] = {"dockerfile": MemoryDirectory({"Dockerfile": b"FROM x"})}
    with served(file_sync(sources)) as link:
        assert ask(link, "dockerfile", is_file) == {"Dockerfile": b"FROM x"}


def test_a_directory_that_was_not_offered_is_refused(tree: Path) -> None:
    with (
        served(file_sync({"context": LocalDirectory(str(tree))})) as link,
        pytest.raises(GrpcError, match="no access allowed to dir 'etc'"),
    ):
        ask(link, "etc", is_file)


def test_a_file_that_cannot_be_asked_for_ends_the_exchange(tree: Path) -> None:
    with served(file_sync({"context": LocalDirectory(str(tree))})) as link:
        call = link.call(methods.FILE_SYNC.path, metadata={filesync.DIR_NAME: ("context",)})
        call.send(encode(Packet(type=PacketType.REQ, id=99)))
        with pytest.raises(GrpcError, match="no file number 99"):
            for _ in packets(call):
                pass


def give(link: Link, stats: list[Stat], contents: dict[str, bytes]) -> None:
    """What a builder does that has a directory for us."""
    call = link.call(methods.FILE_SEND.path)
    for found in stats:
        call.send(encode(Packet(type=PacketType.STAT, stat=found)))
    call.send(encode(Packet(type=PacketType.STAT)))
    for packet in packets(call):
        if packet.type == PacketType.REQ:
            data = contents[stats[packet.id].path]
            call.send(encode(Packet(type=PacketType.DATA, id=packet.id, data=data)))
            if data:
                call.send(encode(Packet(type=PacketType.DATA, id=packet.id)))
        elif packet.type == PacketType.FIN:
            call.send(encode(Packet(type=PacketType.FIN)))
            break
    call.end_input()
    assert call.receive() is None


DIRECTORY = filesync.GO_DIRECTORY | 0o755


def test_a_result_becomes_a_directory(tmp_path: Path) -> None:
    (tmp_path / "out" / "d").mkdir(parents=True)
    (tmp_path / "out" / "d" / "f").write_text("old")
    stats = [
        Stat("d", filesync.GO_DIRECTORY | 0o750, modified_ns=3_000_000_000),
        Stat("d/empty", 0o600),
        Stat("d/f", 0o640, size=3, modified_ns=2_000_000_000),
        Stat("d/hard", 0o640, linkname="d/f"),
        Stat("d/l", filesync.GO_SYMLINK | 0o777, linkname="/etc/passwd"),
    ]
    with served(file_send({"0": to_directory(str(tmp_path / "out"))})) as link:
        give(link, stats, {"d/f": b"new", "d/empty": b""})
    made = tmp_path / "out" / "d"
    assert (made / "f").read_text() == "new"
    assert (made / "f").stat().st_mode & 0o777 == 0o640
    assert (made / "f").stat().st_mtime == 2
    assert (made / "hard").stat().st_ino == (made / "f").stat().st_ino
    assert os.readlink(made / "l") == "/etc/passwd"
    assert made.stat().st_mode & 0o777 == 0o750
    assert made.stat().st_mtime == 3


@pytest.mark.parametrize(
    "stats",
    [
        [Stat("../out.txt", 0o644)],
        [Stat("/etc/x", 0o644)],
        [Stat("a/../../x", 0o644)],
        [Stat("l", filesync.GO_SYMLINK | 0o777, linkname=".."), Stat("l/x", 0o644)],
        [Stat("h", 0o644, linkname="../secret")],
    ],
)
def test_a_result_cannot_leave_its_directory(tmp_path: Path, stats: list[Stat]) -> None:
    (tmp_path / "secret").write_text("s")
    with (
        served(file_send({"0": to_directory(str(tmp_path / "out"))})) as link,
        pytest.raises(GrpcError),
    ):
        give(link, stats, {found.path: b"x" for found in stats})
    assert sorted(os.listdir(tmp_path)) == ["out", "secret"]


def test_a_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "image.tar"
    with served(file_send({"0": to_file(str(target))})) as link:
        call = link.call(methods.FILE_SEND.path)
        call.send(encode(BytesMessage(b"one")))
        call.cancel()
        call = link.call(methods.FILE_SEND.path)
        call.send(encode(BytesMessage(b"all of ")))
        call.send(encode(BytesMessage(b"it")))
        call.end_input()
        assert call.receive() is None
    assert target.read_bytes() == b"all of it"
    assert os.listdir(tmp_path) == ["image.tar"]


def test_a_cache_goes_to_the_directory_that_was_named_for_it(tmp_path: Path) -> None:
    caches = {str(tmp_path / "cache"): to_directory(str(tmp_path / "cache"))}
    metadata = {"exporter-md-cache-to": (str(tmp_path / "cache"),)}
    with served(file_send({}, caches)) as link:
        call = link.call(methods.FILE_SEND.path, metadata=metadata)
        call.send(encode(Packet(type=PacketType.STAT, stat=Stat("d", DIRECTORY))))
        call.send(encode(Packet(type=PacketType.STAT)))
        assert next(packets(call)).type == PacketType.FIN
        call.send(encode(Packet(type=PacketType.FIN)))
        call.end_input()
        assert call.receive() is None
        elsewhere = {"exporter-md-cache-to": (str(tmp_path / "other"),)}
        with pytest.raises(GrpcError, match="no cache was to be left"):
            link.call(methods.FILE_SEND.path, b"", elsewhere).receive()
    assert os.listdir(tmp_path) == ["cache"]
    assert os.listdir(tmp_path / "cache") == ["d"]
