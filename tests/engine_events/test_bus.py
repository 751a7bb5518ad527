import asyncio

from boxship.engine.events import bus
from boxship.engine.events.bus import EventBus
from boxship.model.event import Event, EventType


class TickingClock:
    """Every reading is one nanosecond later."""

    def __init__(self) -> None:
        self.ns = 0

    def now_ns(self) -> int:
        self.ns += 1
        return self.ns


def publish(events: EventBus, action: str) -> Event:
    return events.publish(EventType.CONTAINER, action, "id", {"name": "web"})


async def collect(subscription: bus.Subscription) -> list[str]:
    return [event.action async for event in subscription]


def test_every_listener_gets_every_event_in_order() -> None:
    async def scenario() -> list[list[str]]:
        events = EventBus(TickingClock())
        listeners = [asyncio.create_task(collect(events.subscribe())) for _ in range(3)]
        for action in ("create", "start", "die"):
            publish(events, action)
            await asyncio.sleep(0)
        events.close()
        return await asyncio.gather(*listeners)

    assert asyncio.run(scenario()) == [["create", "start", "die"]] * 3


def test_since_replays_what_is_remembered_without_gap_or_double() -> None:
    async def scenario() -> list[str]:
        events = EventBus(TickingClock())
        publish(events, "create")
        start = publish(events, "start")
        subscription = events.subscribe(since_ns=start.time_ns)
        publish(events, "die")
        subscription.close()
        return await collect(subscription)

    assert asyncio.run(scenario()) == ["start", "die"]


def test_a_listener_that_does_not_read_is_cut_off_alone() -> None:
    async def scenario() -> tuple[int, list[str]]:
        events = EventBus(TickingClock())
        stuck = events.subscribe()
        for _ in range(bus.BACKLOG + 1):
            publish(events, "flood")
        late = events.subscribe()
        publish(events, "after")
        late.close()
        return len(await collect(stuck)), await collect(late)

    stuck_got, late_got = asyncio.run(scenario())
    assert stuck_got == bus.BACKLOG
    assert late_got == ["after"]


def test_closing_one_listener_stops_its_events_only() -> None:
    async def scenario() -> list[str]:
        events = EventBus(TickingClock())
        gone, stays = events.subscribe(), events.subscribe()
        gone.close()
        publish(events, "start")
        assert await collect(gone) == []
        stays.close()
        return await collect(stays)

    assert asyncio.run(scenario()) == ["start"]
