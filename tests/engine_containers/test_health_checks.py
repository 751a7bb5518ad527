"""Health checks of containers that run: by commands, by connections, and what follows from them."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from boxship.engine.containers import probing
from boxship.engine.containers.health.state import Health
from boxship.engine.containers.record import ContainerRecord, Status
from boxship.engine.containers.requests import ContainerQuery
from boxship.engine.engine import Engine
from boxship.model.container import HealthConfig, HostConfig, RestartPolicy
from boxship.net.namespaces import NetworkNamespace, run_inside
from support.opened import Place, engine_of_its_own, opened, remove_all, run

pytestmark = pytest.mark.privileged

TICK = 50_000_000
NO_NETWORK = HostConfig(network_mode="none")


def play(scene: Callable[[Engine], Awaitable[None]]) -> None:
    async def act() -> None:
        async with engine_of_its_own() as (engine, _), asyncio.timeout(30):
            await scene(engine)

    asyncio.run(act())


async def checked(
    engine: Engine,
    *test: str,
    host: HostConfig = NO_NETWORK,
    cmd: tuple[str, ...] = ("sleep", "1000"),
    **more: int,
) -> str:
    """Run a container that is probed all the time."""
    health = HealthConfig(test, **({"interval": TICK, "retries": 2} | more))
    return await run(engine, *cmd, host=host, healthcheck=health)


async def until(
    engine: Engine, container: str, wanted: Callable[[ContainerRecord], object]
) -> ContainerRecord:
    """Wait for its record to be as ``wanted``; the caller has set a time limit."""
    while True:
        record = engine.containers.get(container)
        if wanted(record):
            return record
        await asyncio.sleep(0.01)


def is_(status: str) -> Callable[[ContainerRecord], bool]:
    return lambda record: health(record).status == status


def health(record: ContainerRecord) -> Health:
    assert record.state.health is not None
    return record.state.health


async def settled(engine: Engine, container: str, status: str) -> Health:
    return health(await until(engine, container, is_(status)))


def probed(times: int) -> Callable[[ContainerRecord], bool]:
    return lambda record: len(health(record).log) >= times


def runs_a_probe(engine: Engine, container: str) -> bool:
    return any(
        engine.containers.exec_inspect(id_).pid for id_ in engine.containers.execs(container)
    )


# ── commands ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.option("Healthcheck")
def test_commands_as_docker_runs_them() -> None:
    async def scene(engine: Engine) -> None:
        well = await checked(engine, "CMD-SHELL", "yes | head -c 5000")
        ill = await checked(engine, "CMD", "sh", "-c", "echo no >&2; exit 3")
        missing = await checked(engine, "CMD", "/nope")
        slow = await checked(engine, "CMD", "sleep", "1000", timeout=2 * TICK, retries=1)
        nothing = await run(engine, "sleep", "1000", healthcheck=HealthConfig(("NONE",)))
        result = (await settled(engine, well, "healthy")).log[0]
        assert result.exit_code == 0
        assert result.output == 2048 * "y\n" + "..."
        assert result.start_ns < result.end_ns
        failing = await settled(engine, ill, "unhealthy")
        assert failing.failing_streak >= 2  # it goes on
        assert {(r.exit_code, r.output) for r in failing.log} == {(3, "no\n")}
        refused = (await settled(engine, missing, "unhealthy")).log[0]
        assert (refused.exit_code, refused.output) == (
            -1,
            "OCI runtime exec failed: exec failed: unable to start container process: "
            'exec: "/nope": stat /nope: no such file or directory: unknown',
        )
        late = (await settled(engine, slow, "unhealthy")).log[0]
        assert (late.exit_code, late.output) == (-1, "Health check exceeded timeout (100ms)")
        assert engine.containers.get(nothing).state.health is None
        found = engine.containers.list(ContainerQuery(filters={"health": ["unhealthy"]}))
        assert {record.id for record in found} == {ill, missing, slow}
        found = engine.containers.list(ContainerQuery(filters={"health": ["none"]}))
        assert {record.id for record in found} == {nothing}

    play(scene)


def test_events_and_what_is_left_of_execs() -> None:
    async def scene(engine: Engine) -> None:
        said = engine.events.subscribe()
        container = await checked(engine, "CMD", "true", "x")
        await settled(engine, container, "healthy")
        said.close()
        events = [event async for event in said if event.actor == container]
        assert [event.action for event in events][2:6] == [
            "exec_create: true x",
            "exec_start: true x",
            "exec_die",
            "health_status: healthy",
        ]
        assert {event.attributes.get("execID") for event in events[2:5]} != {None}
        assert set(events[5].attributes) == {"image", "name"}
        await until(engine, container, probed(3))
        assert len(engine.containers._context.execs) <= 1  # those of probes are not kept

    play(scene)


def test_a_paused_container_is_not_probed_and_an_ended_one_is_unhealthy() -> None:
    async def scene(engine: Engine) -> None:
        container = await checked(engine, "CMD", "true")
        await settled(engine, container, "healthy")
        await engine.containers.pause(container)
        before = health(engine.containers.get(container))
        assert before.status == "unhealthy"
        await asyncio.sleep(4 * TICK / 1e9)
        assert health(engine.containers.get(container)) == before
        await engine.containers.unpause(container)
        await settled(engine, container, "healthy")
        await engine.containers.kill(container)
        ended = health(engine.containers.get(container))
        assert ended.status == "unhealthy"
        await engine.containers.start(container)
        again = health(engine.containers.get(container))
        assert (again.status, again.log) == ("starting", ended.log)
        await settled(engine, container, "healthy")

    play(scene)


@pytest.mark.option("Healthcheck.StartPeriod", "Healthcheck.StartInterval")
def test_failures_within_the_start_period_do_not_count() -> None:
    async def scene(engine: Engine) -> None:
        container = await checked(
            engine, "CMD", "test", "-e", "/up", start_period=10**11, start_interval=TICK,
            interval=10**11, retries=1,
        )  # fmt: skip
        record = await until(engine, container, probed(3))
        assert (health(record).status, health(record).failing_streak) == ("starting", 0)

    play(scene)


def test_the_next_daemon_goes_on() -> None:
    async def act() -> None:
        place = Place()
        try:
            async with opened(place) as engine, asyncio.timeout(20):
                slow = await checked(engine, "CMD", "sleep", "1000")
                container = await checked(engine, "CMD", "true")
                await settled(engine, container, "healthy")
                await until(engine, slow, lambda _: runs_a_probe(engine, slow))
            async with opened(place) as engine, asyncio.timeout(20):
                assert health(engine.containers.get(container)).status == "healthy"
                await until(engine, container, probed(3))
                await remove_all(engine)
            assert place.remains() == []
        finally:
            place.close()

    asyncio.run(act())


def test_a_probe_under_way_ends_with_its_container() -> None:
    async def scene(engine: Engine) -> None:
        container = await checked(engine, "CMD", "sleep", "1000")
        await until(engine, container, lambda _: runs_a_probe(engine, container))
        await engine.containers.kill(container)
        assert list(engine.containers.execs(container)) == []
        await engine.containers.start(container)
        await until(engine, container, lambda _: runs_a_probe(engine, container))
        await engine.containers.remove(container, force=True)
        assert engine.containers._context.execs == {}

    play(scene)


FAMILY = """
setsid sh -c "while :; do sleep 1000; done" & (sleep 1000 &); sleep 1000
"""


def test_a_probe_that_takes_too_long_takes_all_it_has_started_along() -> None:
    async def scene(engine: Engine) -> None:
        container = await checked(engine, "CMD-SHELL", FAMILY, timeout=4 * TICK, retries=1)
        await settled(engine, container, "unhealthy")
        probing.end(engine.containers._context.shelf.find(container))
        record, planner = engine.containers.get(container), engine.containers._context.planner
        await until(engine, container, lambda _: planner.pids(record) == (record.state.pid,))

    play(scene)


def test_a_probe_that_is_stopped_on_its_way_is_killed_once_it_has_started() -> None:
    async def scene(engine: Engine) -> None:
        container = await checked(engine, "CMD", "sleep", "1000", timeout=TICK // 50, retries=1)
        record = await until(engine, container, is_("unhealthy"))
        probing.end(engine.containers._context.shelf.find(container))
        planner = engine.containers._context.planner
        await until(engine, container, lambda _: planner.pids(record) == (record.state.pid,))
        await until(engine, container, lambda _: not engine.containers.execs(container))

    play(scene)


# ── connections ──────────────────────────────────────────────────────────────────────────────


@asynccontextmanager
async def serving(
    engine: Engine, container: str, port: int, answer: bytes
) -> AsyncIterator[list[bytes]]:
    """Answer connections within the container's network; yield what clients have said."""
    heard: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.read(1 << 16))
        writer.write(answer)
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    def listen() -> socket.socket:
        return socket.create_server(("127.0.0.1", port))

    with NetworkNamespace.of_process(engine.containers.get(container).state.pid) as namespace:
        listener = run_inside(namespace, listen)
    async with await asyncio.start_server(serve, sock=listener):
        yield heard


def grpc_answer(status: int) -> bytes:
    def frame(kind: int, flags: int, stream: int, body: bytes) -> bytes:
        return len(body).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4) + body

    message = b"\0\0\0\0\2\x08" + bytes([status])
    return frame(4, 0, 0, b"") + frame(1, 4, 1, b"\x88") + frame(0, 1, 1, message)


HEALTHY = (
    (("TCP", ":80"), b"", "127.0.0.1:80: connected", b""),
    (("HTTP", ":80/up?a"), b"HTTP/1.1 204 Fine\r\n\r\n", "HTTP/1.1 204 Fine", b"GET /up?a "),
    (("GRPC", ":80/a.B"), grpc_answer(1), "SERVING", b"PRI * HTTP/2.0\r\n"),
)


def test_connections_from_within() -> None:
    async def healthy(
        engine: Engine, test: tuple[str, ...], answer: bytes, output: str, heard: bytes
    ) -> None:
        container = await checked(engine, *test)
        result = (await settled(engine, container, "unhealthy")).log[0]
        assert (result.exit_code, result.output) == (1, "127.0.0.1:80: Connection refused")
        async with serving(engine, container, 80, answer) as said:
            result = (await settled(engine, container, "healthy")).log[-1]
            assert (result.exit_code, result.output) == (0, output)
            assert b"".join(said).startswith(heard)
        await settled(engine, container, "unhealthy")

    async def scene(engine: Engine) -> None:
        await asyncio.gather(*(healthy(engine, *each) for each in HEALTHY))

    play(scene)


NOT_HEALTHY = (
    (("HTTP", ":80"), b"HTTP/1.1 503 No\r\n\r\n", "HTTP/1.1 503 No"),
    (("HTTP", ":80"), b"hello\r\n", "127.0.0.1:80: no HTTP answer"),
    (("GRPC", ":80"), grpc_answer(2), "NOT_SERVING"),
    (("GRPC", ":80"), b"HTTP/1.1 400 Bad\r\n\r\n", "no answer of a gRPC health service"),
)


def test_answers_that_are_not_healthy() -> None:
    async def unhealthy(engine: Engine, test: tuple[str, ...], answer: bytes, output: str) -> None:
        def told(record: ContainerRecord) -> bool:
            return any(result.output == output for result in health(record).log)

        container = await checked(engine, *test)
        async with serving(engine, container, 80, answer):
            record = await until(engine, container, told)
            assert {result.exit_code for result in health(record).log} == {1}

    async def scene(engine: Engine) -> None:
        await asyncio.gather(*(unhealthy(engine, *each) for each in NOT_HEALTHY))

    play(scene)


# ── the restart policy ───────────────────────────────────────────────────────────────────────

DUTIFUL = ("sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.02; done")


def test_an_unhealthy_container_is_replaced_as_often_as_allowed() -> None:
    async def scene(engine: Engine) -> None:
        policy = RestartPolicy("on-unhealthy", 1)
        host = HostConfig(network_mode="none", restart_policy=policy)
        container = await checked(engine, "CMD", "false", host=host, cmd=DUTIFUL)
        record = await until(engine, container, lambda r: r.state.restart_count == 1)
        assert not record.state.stopped_by_user
        await settled(engine, container, "unhealthy")
        record = await until(engine, container, lambda r: health(r).failing_streak > 3)
        assert (record.status, record.state.restart_count) == (Status.RUNNING, 1)

    play(scene)


def test_a_person_s_stop_is_final_all_the_same() -> None:
    async def scene(engine: Engine) -> None:
        host = HostConfig(network_mode="none", restart_policy=RestartPolicy("on-unhealthy"))
        container = await checked(engine, "CMD", "true", host=host, cmd=DUTIFUL)
        await settled(engine, container, "healthy")
        await engine.containers.stop(container)
        assert engine.containers.get(container).status is Status.EXITED

    play(scene)
