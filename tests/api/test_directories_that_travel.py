"""Directories that come from clients and go to them: made equal, and never left."""

import asyncio
import contextlib
import os
import stat
import threading
from pathlib import Path

import pytest

from boxship.api.buildkit.receiving import Receiver
from boxship.api.buildkit.sending import Sender
from boxship.api.buildkit.session import receive
from boxship.base.errors import InvalidArgumentError
from boxship.wire.buildkit import filesync
from boxship.wire.buildkit.filesync import Packet, PacketType, Stat
from boxship.wire.protobuf import encode

NOW = 1_700_000_000_123_456_789
LISTED = encode(Packet(PacketType.STAT))


def entry(path: str, mode: int = 0o644, **more: object) -> bytes:
    return encode(Packet(PacketType.STAT, stat=Stat(path, mode, modified_ns=NOW, **more)))


def directory(path: str, mode: int = 0o755) -> bytes:
    return entry(path, mode | filesync.GO_DIRECTORY)


def link(path: str, target: str) -> bytes:
    return entry(path, 0o777 | filesync.GO_SYMLINK, linkname=target)


def content(number: int, *pieces: bytes) -> list[bytes]:
    return [encode(Packet(PacketType.DATA, id=number, data=piece)) for piece in (*pieces, b"")]


def travel(source: Path, target: Path, kept: str = "") -> Receiver:
    """Carry packets both ways until both sides have all."""
    sender, receiver = Sender(str(source)), Receiver(str(target), kept)
    replies = receiver.feed(list(sender.listing()))
    while not receiver.done:
        packets = [packet for reply in replies for packet in sender.answer(reply)]
        replies = receiver.feed(packets)
    assert sender.done
    receiver.close()
    return receiver


def facts(root: Path) -> dict[str, tuple[object, ...]]:
    found = {}
    for path in sorted(root.rglob("*")):
        status = path.lstat()
        kind, time = stat.S_IFMT(status.st_mode), status.st_mtime_ns
        body = os.readlink(path) if path.is_symlink() else None
        if path.is_file() and not path.is_symlink():
            body = path.read_bytes()
        mode = None if path.is_symlink() else stat.S_IMODE(status.st_mode)
        found[str(path.relative_to(root))] = (kind, mode, time, body)
    return found


@pytest.fixture
def source(tmp_path: Path) -> Path:
    place = tmp_path / "source"
    (place / "a/b").mkdir(parents=True)
    (place / "a/b/file").write_bytes(b"x" * 100_000)
    (place / "a.txt").write_text("sorts before what is in a, and after a")
    (place / "empty").touch()
    (place / "set").touch()
    (place / "set").chmod(0o6755)
    (place / "private").mkdir()
    (place / "private").chmod(0o1700)
    os.link(place / "a/b/file", place / "z-same")
    (place / "link").symlink_to("a/b")
    (place / "dangling").symlink_to("/nowhere")
    os.mkfifo(place / "pipe", 0o600)
    with open(os.fsencode(place) + b"/\xe9t\xe9", "wb") as file:
        file.write(b"a name that is not UTF-8")
    for path in place.rglob("*"):
        os.utime(path, ns=(NOW, NOW + len(path.name)), follow_symlinks=False)
    return place


@pytest.fixture
def target(tmp_path: Path) -> Path:
    place = tmp_path / "target"
    place.mkdir()
    return place


def test_all_kinds_of_files_arrive(source: Path, target: Path) -> None:
    receiver = travel(source, target)
    assert facts(target) == facts(source)
    assert (target / "z-same").stat().st_ino == (target / "a/b/file").stat().st_ino
    assert receiver.changed == set(facts(source))


def test_only_what_changed_travels(source: Path, target: Path) -> None:
    travel(source, target)
    again = travel(source, target)
    assert (again.changed, again.received) == (set(), 0)
    (source / "a.txt").write_text("more")
    (source / "empty").chmod(0o600)
    (source / "link").unlink()
    (source / "link").symlink_to("a")
    (source / "dangling").unlink()
    (source / "private").rmdir()
    (source / "private").write_text("now a file")
    (source / "set").unlink()
    (source / "set").mkdir()
    (source / "set/within").touch()
    again = travel(source, target)
    assert facts(target) == facts(source)
    assert again.received == len("more") + len("now a file")
    changed = {"a.txt", "empty", "link", "dangling", "private", "set", "set/within"}
    assert again.changed == changed


def test_a_transfer_that_broke_off_is_made_good(source: Path, target: Path) -> None:
    sender, receiver = Sender(str(source)), Receiver(str(target))
    replies = receiver.feed(list(sender.listing()))
    receiver.feed(list(sender.answer(replies[0]))[:-1])
    receiver.close()
    travel(source, target)
    assert facts(target) == facts(source)


def test_pieces_of_files_may_come_mixed(target: Path) -> None:
    receiver = Receiver(str(target))
    wanted = receiver.feed([entry("a"), directory("b"), entry("b/c"), LISTED])
    assert len(wanted) == 2
    one, two = content(0, b"1", b"2"), content(2, b"3", b"4")
    mixed = [piece for pair in zip(one, two, strict=True) for piece in pair]
    assert receiver.feed(mixed) == [encode(Packet(PacketType.FIN))]
    assert ((target / "a").read_text(), (target / "b/c").read_text()) == ("12", "34")
    assert (target / "b").stat().st_mtime_ns == NOW


ESCAPES = [
    [entry("../x")],
    [entry("/x")],
    [entry("a/../x")],
    [entry("..")],
    [entry(".")],
    [entry("")],
    [entry("a/")],
    [entry("a/b")],
    [entry("a\0b")],
    [directory("a"), entry("a/../../x")],
    [directory("a"), entry("b"), entry("a/late")],
    [entry("b"), entry("a")],
    [entry("a"), entry("a")],
    [link("a", "/"), entry("a/x")],
    [link("a", ".."), directory("a")],
    [entry("a"), entry("a/x")],
    [entry("b", linkname="../../etc/passwd")],
    [entry("b", linkname="/etc/passwd")],
    [link("a", "/etc/passwd"), entry("b", linkname="a")],
    [directory("a"), entry("b", linkname="a")],
    [entry("a"), LISTED, *content(7)],
    [entry("a"), *content(0), *content(0)],
    [entry("a"), LISTED, entry("b")],
    [LISTED, LISTED],
    [
        *(entry(f"{n:03}") for n in range(100)),
        *(encode(Packet(PacketType.DATA, id=n, data=b"x")) for n in range(100)),
    ],
    [encode(Packet(PacketType.ERR, data=b"no such disk"))],
    [b"\xff"],
]


@pytest.mark.parametrize("packets", ESCAPES, ids=range(len(ESCAPES)))
def test_a_client_that_lies(target: Path, packets: list[bytes]) -> None:
    receiver = Receiver(str(target))
    with pytest.raises(InvalidArgumentError):
        receiver.feed(packets)
    receiver.close()
    assert [path.name for path in target.parent.iterdir()] == ["target"]


def test_what_is_a_link_here_becomes_what_the_client_has(target: Path) -> None:
    """An earlier sync made the link; a directory of its name must not be looked for behind it."""
    outside = target.parent / "outside"
    outside.mkdir()
    (outside / "kept").write_text("kept")
    (target / "a").symlink_to(outside)
    (target / "b").symlink_to(outside / "kept")
    receiver = Receiver(str(target))
    receiver.feed([directory("a"), entry("a/kept"), entry("b"), LISTED])
    receiver.feed([*content(1, b"new"), *content(2, b"new")])
    assert (outside / "kept").read_text() == "kept"
    assert (target / "a/kept").read_text() == "new"
    assert not (target / "b").is_symlink()


def test_a_link_to_a_file_that_comes_anew(target: Path) -> None:
    """What is here under its name looks right, but is a file of its own."""
    (target / "z").write_text("12")
    os.utime(target / "z", ns=(NOW, NOW))
    (target / "z").chmod(0o644)
    receiver = Receiver(str(target))
    linked = entry("z", size=2, linkname="a")
    assert len(receiver.feed([entry("a", size=2), linked, LISTED])) == 1
    receiver.feed(content(0, b"34"))
    assert (target / "z").read_text() == "34"
    assert (target / "z").samefile(target / "a")


def test_what_writes_is_waited_for_though_nobody_wants_it(target: Path) -> None:
    """Files would be closed, or be another's by then, while a thread still writes to them."""
    began, goes_on = threading.Event(), threading.Event()

    class Slow(Receiver):
        def feed(self, packets: list[bytes]) -> list[bytes]:
            began.set()
            assert goes_on.wait(10)
            return []

    class Call:
        async def batch(self, _: float) -> list[bytes]:
            return [LISTED]

    async def cancel() -> bool:
        task = asyncio.ensure_future(receive(Call(), Slow(str(target)), None))  # type: ignore[arg-type]
        await asyncio.to_thread(began.wait, 10)
        task.cancel()
        await asyncio.sleep(0)
        waits = not task.done()
        goes_on.set()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        return waits

    assert asyncio.run(cancel())


def test_devices_are_left_out(target: Path) -> None:
    receiver = Receiver(str(target))
    device = entry("d", 0o600 | filesync.GO_DEVICE, device_major=1, device_minor=3)
    assert receiver.feed([device, LISTED]) == [encode(Packet(PacketType.FIN))]
    assert list(target.iterdir()) == []


@pytest.mark.parametrize("packet", [Packet(PacketType.REQ, id=500), Packet(PacketType.ERR)])
def test_a_client_that_asks_for_what_there_is_not(source: Path, packet: Packet) -> None:
    sender = Sender(str(source))
    list(sender.listing())
    with pytest.raises(InvalidArgumentError):
        list(sender.answer(encode(packet)))
    with pytest.raises(InvalidArgumentError):
        list(sender.answer(b"\xff"))


# ── the list that was kept ───────────────────────────────────────────────────────────────────────

FIN = encode(Packet(PacketType.FIN))
LIST = [entry("a", size=1), directory("b"), entry("b/c", size=1), entry("d", size=1), LISTED]


@pytest.fixture
def kept(target: Path) -> str:
    """Where the list is kept of a directory that has been made of ``LIST``."""
    place = f"{target}.list"
    receiver = Receiver(str(target), place)
    receiver.feed(LIST)
    assert receiver.feed([*content(0, b"1"), *content(2, b"2"), *content(3, b"3")]) == [FIN]
    receiver.close()
    assert sorted(path.name for path in target.parent.iterdir()) == ["target", "target.list"]
    return place


@pytest.mark.parametrize("at_once", [1, 2, 5])
def test_a_list_that_is_the_same_has_nothing_looked_at(
    target: Path, kept: str, at_once: int
) -> None:
    # What only the builder writes to is not even looked at: the list is what tells.
    os.utime(target / "b/c", ns=(1, 1))
    for _ in range(2):
        receiver = Receiver(str(target), kept)
        pieces = [LIST[at : at + at_once] for at in range(0, len(LIST), at_once)]
        assert [reply for piece in pieces for reply in receiver.feed(piece)] == [FIN]
        assert receiver.listed
        assert not receiver.changed
        receiver.feed([FIN])
        assert receiver.done
        receiver.close()


OTHERS: list[tuple[list[bytes], set[str]]] = [
    ([entry("a", size=2), *LIST[1:]], {"a"}),
    ([*LIST[:3], entry("d", size=1, mode=0o600), LISTED], {"d"}),
    ([*LIST[:4], entry("e", size=1), LISTED], {"e"}),
    ([*LIST[:3], LISTED], {"d"}),
    ([*LIST[:2], *LIST[3:]], {"b/c"}),
    ([LISTED], {"a", "b", "d"}),
]


@pytest.mark.parametrize(("packets", "changed"), OTHERS, ids=range(len(OTHERS)))
@pytest.mark.parametrize("at_once", [1, 9])
def test_whatever_differs_in_a_list_is_seen(
    target: Path, kept: str, at_once: int, packets: list[bytes], changed: set[str]
) -> None:
    receiver = Receiver(str(target), kept)
    for at in range(0, len(packets), at_once):
        receiver.feed(packets[at : at + at_once])
    assert receiver.changed == changed
    receiver.close()


def test_a_directory_that_somebody_changed_is_looked_at(target: Path, kept: str) -> None:
    (target / "a").unlink()
    receiver = Receiver(str(target), kept)
    assert FIN not in receiver.feed(LIST)
    assert receiver.changed == {"a"}
    receiver.close()


def test_what_broke_off_is_looked_at(target: Path, kept: str) -> None:
    for cut in (1, 2, 4):
        receiver = Receiver(str(target), kept)
        receiver.feed([*LIST[:cut], entry("x", size=1)])
        receiver.close()
        assert not os.path.exists(kept)
        assert not os.path.exists(f"{kept}.new")
    receiver = Receiver(str(target), kept)
    receiver.feed(LIST)
    assert receiver.changed  # what was removed in between
    receiver.close()


def test_a_file_that_changed_comes_after_many_that_did_not(source: Path, target: Path) -> None:
    place = f"{target}.list"
    for text in ("one", "two"):
        (source / "z").write_text(text)
        travel(source, target, place)
        assert not travel(source, target, place).changed
        assert facts(target) == facts(source)
