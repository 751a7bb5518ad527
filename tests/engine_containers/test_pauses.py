"""The pause before a policy starts a container again: recorded, and begun anew by a person."""

import asyncio

import pytest

from boxship.engine.containers import policy, states
from boxship.engine.containers.record import ContainerRecord, ContainerState, Status
from boxship.engine.engine import Engine
from boxship.model.container import ContainerConfig, HealthConfig, HostConfig, RestartPolicy
from support.opened import Place, opened, outcome, remove_all, run, until

SECOND = 10**9


def record_with(**state: object) -> ContainerRecord:
    return ContainerRecord(
        id="a" * 64, name="a", created_ns=0, image_id="", path="", args=(),
        config=ContainerConfig(), host=HostConfig(), state=ContainerState(**state),  # type: ignore[arg-type]
    )  # fmt: skip


@pytest.mark.parametrize(
    ("now_ns", "left"),
    [(100 * SECOND, 8), (103 * SECOND, 5), (108 * SECOND, 0), (500 * SECOND, 0), (50 * SECOND, 8)],
)
def test_what_is_left_of_a_pause(now_ns: int, left: float) -> None:
    """A clock that was set back makes nobody wait longer than the pause."""
    record = record_with(pause=8.0, finished_ns=100 * SECOND)
    assert policy.time_left(record, now_ns) == left


def test_a_person_s_start_counts_anew() -> None:
    failed = ContainerState(status=Status.RESTARTING, restart_count=4, pause=1.6)
    again = states.counted(failed, by_policy=True)
    assert (again.restart_count, again.pause) == (5, 1.6)
    anew = states.counted(failed, by_policy=False)
    assert (anew.restart_count, anew.pause) == (0, 0)


def state(engine: Engine, container: str) -> ContainerState:
    return engine.containers.get(container).state


def play(*scenes: object) -> None:
    """Open an engine for each scene, on the same place."""

    async def act() -> None:
        place = Place()
        try:
            told: object = None
            for scene in scenes:
                async with opened(place) as engine, asyncio.timeout(60):
                    told = await scene(engine, told)  # type: ignore[operator]
                    if scene is scenes[-1]:
                        await remove_all(engine)
            assert place.remains() == []
        finally:
            place.close()

    asyncio.run(act())


def with_policy(name: str, most: int = 0) -> HostConfig:
    return HostConfig(network_mode="none", restart_policy=RestartPolicy(name, most))


@pytest.mark.privileged
def test_the_next_daemon_goes_on_with_the_pause() -> None:
    async def first(engine: Engine, _: object) -> tuple[str, ContainerState]:
        container = await run(engine, "false", host=with_policy("always"))

        def waits() -> bool:
            now = state(engine, container)
            return now.status is Status.RESTARTING and now.pause >= 0.4

        await until(waits)
        return container, state(engine, container)

    async def second(engine: Engine, told: tuple[str, ContainerState]) -> None:
        container, before = told
        await until(lambda: state(engine, container).finished_ns > before.finished_ns)
        now = state(engine, container)
        assert now.pause >= 2 * before.pause
        assert now.restart_count > before.restart_count

    play(first, second)


@pytest.mark.privileged
def test_tries_that_are_used_up_come_back_with_a_person_s_start() -> None:
    async def scene(engine: Engine, _: object) -> None:
        container = await run(engine, "false", host=with_policy("on-failure", 1))
        for _times in range(2):
            assert await outcome(engine, container) == 1
            assert state(engine, container).restart_count == 1
            await engine.containers.start(container)
        assert await outcome(engine, container) == 1

    play(scene)


@pytest.mark.privileged
def test_one_that_is_condemned_is_ended_by_the_next_daemon() -> None:
    """The daemon went after it had found it unhealthy, and before it had ended."""
    stubborn = ("sh", "-c", "trap '' TERM; while :; do sleep 0.05; done")

    async def first(engine: Engine, _: object) -> str:
        check = HealthConfig(("CMD", "false"), interval=SECOND // 20, retries=1)
        container = await run(
            engine, *stubborn, host=with_policy("on-unhealthy", 1), healthcheck=check,
            stop_timeout=1,
        )  # fmt: skip
        await until(lambda: condemned(engine, container))
        await engine._context.shelf.trim_history()  # behind it, all is committed
        return container

    async def second(engine: Engine, container: str) -> None:
        await until(lambda: state(engine, container).restart_count == 1)

    play(first, second)


def condemned(engine: Engine, container: str) -> bool:
    health = state(engine, container).health
    return health is not None and health.condemned
