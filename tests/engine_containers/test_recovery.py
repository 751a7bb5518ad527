"""The daemon, the launcher or a shim is killed; what is found afterwards."""

import asyncio
import os
import shutil
import signal
from pathlib import Path

import pytest

from boxship.base.errors import NotFoundError, UnavailableError
from boxship.engine.containers import start
from boxship.engine.containers.oomwatch import OomWatch
from boxship.engine.containers.record import Status
from boxship.engine.containers.requests import (
    ContainerQuery,
    ExecConfig,
    WaitCondition,
)
from boxship.model.container import HostConfig, RestartPolicy
from support.killed import killed, scene
from support.opened import (
    PATIENCE,
    Client,
    Place,
    attached,
    executed,
    make,
    opened,
    outcome,
    output,
    run,
    text_of,
    until,
)

pytestmark = pytest.mark.privileged


def test_a_new_daemon_finds_everything_as_it_is() -> None:
    async def act(place: Place) -> None:
        printed = await killed(
            place,
            """
            counter = "i=0; while :; do i=$((i+1)); echo $i; sleep 0.01; done"
            print(await run(engine, "sh", "-c", counter, name="runs"))
            await run(engine, "sh", "-c", "sleep 0.3; exit 9", name="ends")
            paused = await run(engine, "sleep", "1000", name="paused")
            await engine.containers.pause(paused)
            await make(engine, "true", name="fresh")
            done = await run(engine, "false", name="done")
            await outcome(engine, done)
            exec_id = await engine.containers.exec_create("runs", ExecConfig(("sleep", "1000")))
            await engine.containers.exec_start(exec_id, detach=True)
            print(exec_id)
            """,
        )
        runs, exec_id = printed.split()
        shim = shim_of(place, runs)
        async with opened(place) as engine:
            containers = engine.containers
            assert containers.get("runs").state.running
            assert containers.get("paused").status is Status.PAUSED
            assert containers.get("fresh").status is Status.CREATED
            assert containers.get("done").state.exit_code == 1
            assert await outcome(engine, "ends") == 9
            ended = containers.get("ends").state
            assert 0.2e9 < ended.finished_ns - ended.started_ns < 5e9
            assert containers.exec_inspect(exec_id).running
            client = Client()
            await attached(engine, "runs", client, logs=True)
            data = await client.receive_until(b"\n")
            while len(data) < 2000:
                data += await client.receive_until(b"\n")
            assert await executed(engine, "runs", "echo", "hi") == ("hi\n", 0)
            await containers.unpause("paused")
            await containers.stop("runs", timeout=0)
            data += await client.receive_all()
            numbers = [int(number) for number in text_of(data).split()]
            assert numbers == list(range(1, len(numbers) + 1))
            assert (await output(engine, "runs")).split() == [str(n) for n in numbers]
            assert not containers.exec_inspect(exec_id).running
            client.close()
            await until(lambda: not is_alive(shim))

    scene(act)


def test_ends_while_no_daemon_was_there_are_taken_from_the_shims_note() -> None:
    async def act(place: Place) -> None:
        await killed(
            place,
            """
            await run(engine, "sh", "-c", "exit 5", name="kept")
            await run(engine, "sh", "-c", "exit 6", name="gone", host=HostConfig(auto_remove=True))
            """,
        )
        await until(lambda: not list((place.home / "exec/c").glob("*/shim.sock")))
        async with opened(place) as engine:
            assert engine.containers.get("kept").state.exit_code == 5
            with pytest.raises(NotFoundError):
                engine.containers.get("gone")

    scene(act)


def test_waits_attach_and_stop_work_with_the_new_daemon() -> None:
    async def act(place: Place) -> None:
        await killed(place, 'await run(engine, "cat", name="cat", open_stdin=True)')
        async with opened(place) as engine:
            waiting = await engine.containers.wait("cat", WaitCondition.NEXT_EXIT)
            client = Client()
            await attached(engine, "cat", client, stdin=True)
            await client.send(b"still here\n")
            assert b"still here" in await client.receive_until(b"here\n")
            await engine.containers.stop("cat", timeout=0)
            assert (await asyncio.wait_for(waiting, PATIENCE)).exit_code == 137
            client.close()

    scene(act)


def test_a_killed_shim_ends_its_container_and_says_why() -> None:
    async def act(place: Place) -> None:
        async with opened(place) as engine:
            container = await run(engine, "sh", "-c", "trap '' TERM; sleep 1000")
            pid = engine.containers.get(container).state.pid
            waiting = await engine.containers.wait(container)
            kill_shim(place, container)
            result = await asyncio.wait_for(waiting, PATIENCE)
            assert result.exit_code == 137
            state = engine.containers.get(container).state
            assert (state.status, state.exit_code) == (Status.EXITED, 137)
            assert "shim was killed" in state.error
            await until(lambda: not is_alive(pid))
            await engine.containers.start(container)
            assert engine.containers.get(container).state.running

    scene(act)


def shim_of(place: Place, container: str) -> int:
    return int(Path(f"{place.home}/exec/c/{container}/shim.pid").read_text().split()[0])


def kill_shim(place: Place, container: str) -> None:
    os.kill(shim_of(place, container), signal.SIGKILL)


def is_alive(pid: int) -> bool:
    return os.path.exists(f"/proc/{pid}")


def test_a_shim_killed_while_no_daemon_is_there() -> None:
    async def act(place: Place) -> None:
        printed = await killed(place, 'print(await run(engine, "sleep", "1000"))')
        kill_shim(place, printed.strip())
        async with opened(place) as engine:
            state = engine.containers.get(printed.strip()).state
            assert (state.status, state.exit_code) == (Status.EXITED, 137)
            assert "shim was killed" in state.error

    scene(act)


def test_requests_to_a_killed_shim_do_not_hang() -> None:
    async def act(place: Place) -> None:
        async with opened(place) as engine:
            container = await run(engine, "sleep", "1000")
            exec_id = await engine.containers.exec_create(container, ExecConfig(("sleep", "9")))
            await engine.containers.exec_start(exec_id, detach=True)
            removed = await engine.containers.wait(container, WaitCondition.REMOVED)
            kill_shim(place, container)
            await asyncio.wait_for(engine.containers.stop(container, timeout=1), PATIENCE)
            assert engine.containers.exec_inspect(exec_id).exit_code == 137
            await engine.containers.remove(container)
            assert (await asyncio.wait_for(removed, PATIENCE)).exit_code == 137

    scene(act)


def test_the_launcher_is_started_again_and_nothing_else_is_touched() -> None:
    async def act(place: Place) -> None:
        async with opened(place) as engine:
            container = await run(engine, "sleep", "1000")
            launcher = engine.launcher_pid
            os.kill(launcher, signal.SIGKILL)
            await until(lambda: engine.launcher_pid not in (0, launcher))
            assert engine.containers.get(container).state.running
            assert await executed(engine, container, "echo", "hi") == ("hi\n", 0)
            other = await run(engine, "true")
            assert await outcome(engine, other) == 0

    scene(act)


def test_a_start_right_behind_the_launchers_death_waits_for_the_next_one() -> None:
    async def act(place: Place) -> None:
        async with opened(place) as engine:
            for _ in range(3):
                os.kill(engine.launcher_pid, signal.SIGKILL)
                container = await asyncio.wait_for(run(engine, "true"), PATIENCE)
                assert await outcome(engine, container) == 0

    scene(act)


def test_a_launcher_that_hangs_is_killed_and_replaced() -> None:
    async def act(place: Place) -> None:
        async with opened(place) as engine:
            launcher = engine.launcher_pid
            os.kill(launcher, signal.SIGSTOP)
            try:
                with pytest.MonkeyPatch.context() as patch:
                    patch.setattr(start, "_PATIENCE", 0.3)
                    with pytest.raises(UnavailableError, match="does not answer"):
                        await run(engine, "true")
            finally:
                if is_alive(launcher):
                    os.kill(launcher, signal.SIGCONT)
            other = await asyncio.wait_for(run(engine, "true"), PATIENCE)
            assert engine.launcher_pid != launcher
            assert await outcome(engine, other) == 0

    scene(act)


def test_policies_hold_over_a_restart_of_the_daemon() -> None:
    async def act(place: Place) -> None:
        await killed(
            place,
            """
            always = HostConfig(restart_policy=RestartPolicy("always"))
            unless = HostConfig(restart_policy=RestartPolicy("unless-stopped"))
            for name, host in (("a", always), ("b", unless), ("c", HostConfig())):
                await run(engine, "sleep", "1000", name=name * 2, host=host)
                await engine.containers.stop(name * 2, timeout=0)
            """,
        )
        async with opened(place) as engine:
            await until(lambda: engine.containers.get("aa").state.status is Status.RUNNING)
            assert engine.containers.get("bb").status is Status.EXITED
            assert engine.containers.get("cc").status is Status.EXITED

    scene(act)


def test_an_engine_that_is_closed_watches_nobody_any_more() -> None:
    async def act(place: Place) -> None:
        async with opened(place) as engine:
            await run(engine, "sleep", "1000", name="box", host=HostConfig(memory=64 << 20))
            container = engine._context.shelf.find("box")
            watching = container.oom_watch
            assert isinstance(watching, OomWatch)
            fd = watching._source.fileno()
        assert container.oom_watch is None
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(fd)

    scene(act)


def test_garbage_without_a_record_is_removed() -> None:
    async def act(place: Place) -> None:
        printed = await killed(place, 'print(await run(engine, "sleep", "1000"))')
        container = printed.strip()
        init = pid_of_init(place, container)
        for suffix in ("", "-wal", "-shm"):
            path = place.home / f"data/boxship.db{suffix}"
            if path.exists():
                path.unlink()
        (place.home / "data/containers" / ("d" * 64)).mkdir()
        async with opened(place) as engine:
            assert engine.containers.list(ContainerQuery(all=True)) == []
            assert place.remains() == []
            assert not is_alive(init)

    scene(act)


def pid_of_init(place: Place, container: str) -> int:
    shim = shim_of(place, container)
    children = Path(f"/proc/{shim}/task/{shim}/children").read_text().split()
    return int(children[0])


@pytest.mark.parametrize("delay_ms", [0, 1, 2, 3, 5, 8, 12, 18, 25, 40, 60])
def test_killed_at_any_point_each_container_is_whole_or_gone(delay_ms: int) -> None:
    async def act(place: Place) -> None:
        async with opened(place):
            pass  # the image is loaded, so that the next one is quick
        await killed(
            place,
            f"""
            async def churn(number):
                while True:
                    host = HostConfig(auto_remove=number % 2 == 0)
                    container = await make(engine, "true", host=host)
                    waiting = await engine.containers.wait(container, WaitCondition.NEXT_EXIT)
                    await engine.containers.start(container)
                    await waiting
                    if number % 2:
                        await engine.containers.remove(container, force=True)

            tasks = [asyncio.create_task(churn(n)) for n in range(4)]
            await asyncio.sleep(0.15 + {delay_ms} / 1000)
            """,
        )
        async with opened(place) as engine:
            for record in engine.containers.list(ContainerQuery(all=True)):
                assert not record.host.auto_remove or record.status in (
                    Status.CREATED, Status.RUNNING,
                )  # fmt: skip
                if record.status is Status.CREATED:
                    await engine.containers.start(record.id)
                await outcome(engine, record.name) if not record.host.auto_remove else None

    scene(act)


def test_who_was_to_remove_itself_and_has_no_files_is_finished() -> None:
    """A daemon was killed between the files and the record, which may know no start and no end."""

    async def act(place: Place) -> None:
        async with opened(place) as engine:
            container = await make(engine, "true", host=HostConfig(auto_remove=True))
            other = await make(engine, "true", host=HostConfig(auto_remove=True))
        shutil.rmtree(Path(place.settings.data_root, "snapshots", container))
        async with opened(place) as engine:
            found = engine.containers.list(ContainerQuery(all=True))
            assert [record.id for record in found] == [other]

    scene(act)


def test_restart_policy_is_not_lost_with_the_daemon() -> None:
    async def act(place: Place) -> None:
        await killed(
            place,
            """
            host = HostConfig(restart_policy=RestartPolicy("always"))
            await run(engine, "sh", "-c", "sleep 0.2", name="again", host=host)
            """,
        )
        async with opened(place) as engine:
            await until(lambda: engine.containers.get("again").state.restart_count > 0)

    scene(act)


def test_a_daemon_that_goes_orderly_brings_back_what_a_person_did_not_stop() -> None:
    async def act(place: Place) -> None:
        policy = {"always": "always", "unless": "unless-stopped", "stopped": "unless-stopped"}
        async with opened(place) as engine:
            for name, policy_name in policy.items():
                host = HostConfig(restart_policy=RestartPolicy(policy_name))
                await run(engine, "sleep", "1000", name=name, host=host, stop_signal="SIGKILL")
            await run(engine, "sleep", "1000", name="plain", stop_signal="SIGKILL")
            await engine.containers.stop("stopped")
            await engine.stop_containers(at_most=5)
            everybody = [*policy, "plain"]
            states = {engine.containers.get(name).status for name in everybody}
            assert states == {Status.EXITED}
        async with opened(place) as engine:
            await until(lambda: engine.containers.get("always").state.running)
            await until(lambda: engine.containers.get("unless").state.running)
            for name in ("stopped", "plain"):
                assert engine.containers.get(name).status is Status.EXITED

    scene(act)
