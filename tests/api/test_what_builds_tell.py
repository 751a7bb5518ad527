"""What builds tell their clients: in messages that all take, and in bounds that hold."""

import asyncio
import os
import subprocess
import sys
from itertools import chain

from boxship.api.buildkit.events import MOST_KEPT, Events, Room
from boxship.api.buildkit.progress import status_of
from boxship.api.buildkit.solving import Solving, Solvings
from boxship.engine.build.progress import (
    LineRange,
    ProgressEvent,
    SourceText,
    Vertex,
    VertexLog,
    VertexWarning,
)
from boxship.oci.digest import Digest
from boxship.wire.buildkit.control import SolveRequest
from boxship.wire.protobuf import encode

STEP, OTHER = Digest.of(b"a step"), Digest.of(b"another")
STOCK_LIMIT = 4 << 20
"""What clients of gRPC take as one message unless they are told otherwise."""
PIECE = b"\xc3\xbc" * (32 << 10)


async def heard(solving: Solving) -> list[list[ProgressEvent]]:
    return [events async for events in solving.follow()]


def output(events: list[ProgressEvent], vertex: Digest) -> bytes:
    logs = (each for each in events if isinstance(each, VertexLog) and each.vertex == vertex)
    return b"".join(each.data for each in logs)


def test_messages_fit_clients_that_were_busy() -> None:
    async def tell() -> list[list[ProgressEvent]]:
        solving = await Solvings().begin(SolveRequest(ref="r"))
        text = SourceText("Dockerfile", b"#" * (600 << 10))
        for at in range(14):
            solving.tell(Vertex(STEP, "\u20ac" * 50_000, error="x" * 50_000, started_ns=1))
            solving.tell(VertexLog(STEP, 1, b"y\n" * (1 << 20), at))
            solving.tell(VertexWarning(STEP, "w", source=text, ranges=(LineRange(1, 1),)))
        large = SourceText("Dockerfile", b"#" * (6 << 20))
        solving.tell(Vertex(STEP, "z" * (6 << 20)))
        solving.tell(VertexWarning(STEP, "w", source=large))
        solving.end()
        return await heard(solving)

    told = asyncio.run(tell())
    assert all(len(encode(status_of(events))) < STOCK_LIMIT for events in told)
    all_of_it = list(chain.from_iterable(told))
    assert output(all_of_it, STEP) == b"y\n" * (14 << 20)
    assert sum(isinstance(event, Vertex) for event in all_of_it) == 15


def test_output_of_all_builds_is_bounded() -> None:
    """Whoever has most gives up his oldest; who listens late is told, who kept pace has it."""
    room = Room(most=20 * len(PIECE))
    small, noisy = Events(room), Events(room)
    small.add(VertexLog(STEP, 1, b"small", 1))
    noisy.add(Vertex(STEP, "one", started_ns=1))
    pace: list[ProgressEvent] = []
    at = 0
    for number in range(100):
        noisy.add(VertexLog(STEP if number < 50 else OTHER, 1, PIECE, number))
        events, at = noisy.since(at)
        pace += events
    assert output(pace, STEP) == output(pace, OTHER) == PIECE * 50

    late, at = [], 0
    while at < len(noisy):
        events, at = noisy.since(at)
        late += events
    assert late[0] == Vertex(STEP, "one", started_ns=1)
    assert output(late, STEP).strip().startswith(b"[output clipped")
    assert output(late, STEP).count(b"clipped") == 1
    mark, _, kept = output(late, OTHER).lstrip().partition(b"\n")
    assert mark.startswith(b"[output clipped")
    assert 15 * len(PIECE) < len(kept) < 20 * len(PIECE)
    assert set(kept) == set(PIECE)
    assert noisy.size + small.size <= 20 * len(PIECE)
    assert output(small.since(0)[0], STEP) == b"small"


def test_a_listener_that_fell_behind_is_told_what_it_has_missed() -> None:
    events = Events(Room(most=3 * len(PIECE)))
    events.add(VertexLog(STEP, 1, b"begin\n", 0))
    begun, at = events.since(0)
    for number in range(10):
        events.add(VertexLog(STEP, 1, PIECE, number))
    rest, _ = events.since(at)
    told = output(begun + rest, STEP)
    assert told.startswith(b"begin\n\n[output clipped")
    assert told.endswith(PIECE * 2)


def test_a_forgotten_build_takes_no_room() -> None:
    async def run() -> None:
        solvings = Solvings()
        held, forgotten = [await solvings.begin(SolveRequest(ref=ref)) for ref in ("a", "b")]
        for solving in (held, forgotten):
            solving.tell(VertexLog(STEP, 1, PIECE, 1))
            solving.tell(Vertex(STEP, "one"))
        listener = held.follow()
        first = await anext(listener)
        held.tell(VertexLog(OTHER, 1, PIECE, 1))
        for solving in (held, forgotten):
            solving.end()
            solving.forget()
        assert forgotten.events.size == 0
        rest = [events async for events in listener]  # a slow one hears it to its end
        assert output([*first, *chain.from_iterable(rest)], OTHER) == PIECE
        assert held.events.size == 0
        # Nothing is counted of them any more: the whole room is for others.
        full = await solvings.begin(SolveRequest(ref="c"))
        for number in range(MOST_KEPT // (len(PIECE) + 400)):
            full.tell(VertexLog(STEP, 1, PIECE, number))
        assert b"clipped" not in output(full.events.since(0)[0], STEP)

    asyncio.run(run())


def test_the_command_says_that_its_output_broke_off(api, tmp_path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM busybox\n")
    broken = Vertex(STEP, "one", started_ns="never")  # type: ignore[arg-type]
    api.builder.events = [Vertex(STEP, "one"), broken]
    command = (sys.executable, "-m", "boxship", "-H", f"unix://{tmp_path}/api.sock", "build")
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    done = subprocess.run(
        [*command, str(tmp_path)], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0
    assert "WARNING: the build has succeeded, its output broke off: " in done.stderr
