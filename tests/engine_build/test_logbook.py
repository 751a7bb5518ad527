"""What is kept of what builds have told."""

from pathlib import Path

import pytest

from boxship.base.errors import NotFoundError
from boxship.engine.build.logbook import Account, Logbook, Recording
from boxship.engine.build.progress import (
    LineRange,
    SourceText,
    Vertex,
    VertexLog,
    VertexStatus,
    VertexWarning,
)
from boxship.oci.digest import Digest

ONE, TWO = Digest.of(b"1"), Digest.of(b"2")


def test_it_is_told_again_as_if_it_ran(tmp_path: Path) -> None:
    events = [
        Vertex(ONE, "one"),
        Vertex(TWO, "two", (ONE,)),
        Vertex(ONE, "one", started_ns=5),
        VertexLog(ONE, 2, b"said", 6),
        VertexStatus("s", ONE, "s", 1, 2, 6),
        VertexStatus("s", ONE, "s", 2, 2, 7),
        VertexWarning(TWO, "short", source=SourceText("f", b"FROM"), ranges=(LineRange(1, 1),)),
        Vertex(ONE, "one", started_ns=5, completed_ns=8),
        Vertex(TWO, "two", (ONE,), started_ns=9, completed_ns=10, error="failed"),
    ]
    recording, book = Recording(), Logbook(str(tmp_path / "logs"))
    for event in events:
        recording.note(event)
    book.write("../r", recording.account())
    assert list(book.read("../r").told_again()) == [
        events[2], events[5], events[3], events[7],
        Vertex(TWO, "two", (ONE,), started_ns=9), events[6], events[8],
    ]  # fmt: skip


def test_the_newest_output_is_kept_within_bounds() -> None:
    recording = Recording()
    vertices = [Digest.of(bytes([n])) for n in range(50)]
    for vertex in vertices:
        for n in range(300):
            recording.note(VertexLog(vertex, 1, bytes([n % 256]) * 1000, n))
    logs = recording.account().logs
    assert sum(len(log.data) for log in logs) <= 4 << 20
    assert logs[-1].time_ns == 299
    assert {log.vertex for log in logs} == set(vertices[-32:])


def test_accounts_go(tmp_path: Path) -> None:
    book = Logbook(str(tmp_path / "logs"))
    for name in ("a", "b", "c"):
        book.write(name, Account())
    book.remove(["a", "never"])
    book.keep_only(["b"])
    assert book.read("b") == Account()
    for name in ("a", "c"):
        with pytest.raises(NotFoundError):
            book.read(name)
    (file,) = (tmp_path / "logs").iterdir()
    file.write_bytes(b"damaged")
    with pytest.raises(NotFoundError):
        book.read("b")
