"""Events of before: across daemons, after kills, bounded, and on a disk that is full."""

import asyncio
import os
import subprocess
from pathlib import Path

import pytest

from boxship.engine.events import bus
from boxship.engine.events.archive import Archive
from boxship.engine.events.bus import EventBus, Subscription
from boxship.engine.events.segments import Bounds, Numbered, Segments
from boxship.model.event import Event, EventType


class TickingClock:
    """Every reading is one nanosecond later; can be put back."""

    def __init__(self, ns: int = 0) -> None:
        self.ns = ns

    def now_ns(self) -> int:
        self.ns += 1
        return self.ns


def publish(events: EventBus, first: int, last: int) -> None:
    for number in range(first, last + 1):
        events.publish(EventType.CONTAINER, "start", str(number), {"name": f"web{number}"})


async def collect(subscription: Subscription) -> list[int]:
    return [int(event.actor) async for event in subscription]


def opened(directory: Path, clock: TickingClock, bounds: Bounds | None = None) -> EventBus:
    return EventBus(clock, Archive(str(directory), bounds or Bounds()))


def all_kept(directory: Path, since_ns: int = 0) -> list[int]:
    """What a daemon that starts now knows of before."""

    async def scenario() -> list[int]:
        events = opened(directory, TickingClock())
        subscription = events.subscribe(since_ns=since_ns)
        subscription.close()
        try:
            return await collect(subscription)
        finally:
            events.close()

    return asyncio.run(scenario())


def test_the_past_goes_over_into_the_present_without_gap_or_double(tmp_path: Path) -> None:
    clock = TickingClock()
    many = 3 * bus.HISTORY

    async def first() -> None:
        events = opened(tmp_path, clock)
        publish(events, 1, many)
        events.close()

    async def second() -> list[list[int]]:
        events = opened(tmp_path, clock, Bounds(segment_bytes=4096))
        publish(events, many + 1, 2 * many)
        early = asyncio.create_task(collect(events.subscribe(since_ns=many // 2)))
        await asyncio.sleep(0)
        publish(events, 2 * many + 1, 3 * many)
        late = asyncio.create_task(collect(events.subscribe(since_ns=many)))
        publish(events, 3 * many + 1, 3 * many + 5)
        await asyncio.sleep(0.02)
        publish(events, 3 * many + 6, 3 * many + 9)
        for subscription in tuple(events._subscriptions):
            subscription.close()
        try:
            return [await early, await late]
        finally:
            events.close()

    asyncio.run(first())
    early, late = asyncio.run(second())
    assert early == list(range(many // 2, 3 * many + 10))
    assert late == list(range(many, 3 * many + 10))
    assert all_kept(tmp_path) == list(range(1, 3 * many + 10))


def test_what_was_written_outlives_a_daemon_that_is_killed(tmp_path: Path) -> None:
    async def scenario() -> EventBus:
        events = opened(tmp_path, TickingClock())
        publish(events, 1, 5)
        (name,) = os.listdir(tmp_path)
        while not os.path.getsize(tmp_path / name):  # noqa: ASYNC110, ASYNC240
            await asyncio.sleep(0.01)
        return events

    events = asyncio.run(scenario())
    try:
        assert all_kept(tmp_path) == [1, 2, 3, 4, 5]  # not closed yet
    finally:
        events.close()  # or its thread lived until the garbage is collected


@pytest.mark.parametrize(
    "damage", [b'[4,4,"container","st', b"\0" * 300, b"\0\0\n", b'{"of":"a newer kind"}\n']
)
def test_a_damaged_end_is_no_harm(tmp_path: Path, damage: bytes) -> None:
    kept = Segments(str(tmp_path))
    kept.append([_item(1), _item(2)])
    kept.close()
    (path,) = tmp_path.iterdir()
    with path.open("ab") as file:
        file.write(damage)
    again = Segments(str(tmp_path))
    assert again.next_number == 3
    again.append([_item(3)])
    again.close()
    assert all_kept(tmp_path) == [1, 2, 3]


def _item(number: int, time_ns: int = 1) -> Numbered:
    return Numbered.of(number, Event(EventType.IMAGE, "pull", str(number), {}, time_ns))


def test_the_oldest_go_when_there_is_too_much(tmp_path: Path) -> None:
    kept = Segments(str(tmp_path), Bounds(segment_bytes=1000, most_bytes=5000))
    for number in range(1, 1001):
        kept.append([_item(number)])
    kept.close()
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 5000
    numbers = all_kept(tmp_path)
    assert numbers == list(range(numbers[0], 1001))
    assert len(numbers) > 50


def test_what_is_too_old_goes(tmp_path: Path) -> None:
    kept = Segments(str(tmp_path), Bounds(segment_bytes=1, most_age=60))
    kept.append([_item(1)])
    kept.append([_item(2)])
    kept.close()
    oldest = min(tmp_path.iterdir())
    os.utime(oldest, (1, 1))
    Segments(str(tmp_path), Bounds(most_age=60)).close()
    assert all_kept(tmp_path) == [2]


def test_since_counts_by_the_events_time_to_the_nanosecond(tmp_path: Path) -> None:
    now = 1_800_000_000_000_000_000
    kept = Segments(str(tmp_path))
    kept.append([_item(1, now), _item(2, now + 1), _item(3, now - 5), _item(4, now + 2)])
    kept.close()
    for path in tmp_path.iterdir():
        os.utime(path, ns=(now, now))
    assert all_kept(tmp_path, now + 1) == [2, 4]
    assert all_kept(tmp_path, now + 3_000_000_000) == []


def test_a_directory_that_cannot_be_made_costs_the_history_alone(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    async def scenario() -> list[int]:
        events = opened(tmp_path / "file" / "events", TickingClock())
        publish(events, 1, 2)
        subscription = events.subscribe(since_ns=1)
        events.close()
        return await collect(subscription)

    assert asyncio.run(scenario()) == [1, 2]


@pytest.mark.privileged
def test_a_full_disk_loses_events_and_nothing_else(tmp_path: Path) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-osize=64k", "none", str(tmp_path)], check=True)
    try:
        events = tmp_path / "events"
        kept = Segments(str(events))
        kept.append([_item(n) for n in range(1, 101)])
        (tmp_path / "filler").write_bytes(bytes(48 << 10))
        kept.append([_item(n) for n in range(101, 2001)])
        (tmp_path / "filler").unlink()
        kept.append([_item(2001)])
        kept.close()
        assert all_kept(events) == [*range(1, 101), 2001]
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)
