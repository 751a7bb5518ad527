"""Containers through the engine, launcher, shim and kernel."""

import asyncio
import os
import signal
from collections.abc import Callable, Coroutine
from functools import wraps
from pathlib import Path
from typing import Any

import pytest

from boxship.base.errors import (
    BoxshipError,
    ConflictError,
    InvalidArgumentError,
    NotFoundError,
    NotModifiedError,
    StartRefusedError,
)
from boxship.engine.containers.record import Status
from boxship.engine.containers.requests import (
    ContainerQuery,
    ExecConfig,
    LogQuery,
    WaitCondition,
)
from boxship.engine.engine import Engine
from boxship.model.container import HostConfig, LogConfig, RestartPolicy
from support.opened import (
    PATIENCE,
    Client,
    attached,
    engine_of_its_own,
    executed,
    frames,
    make,
    outcome,
    output,
    run,
    said,
    text_of,
    until,
)

pytestmark = pytest.mark.privileged

Body = Callable[[Engine], Coroutine[Any, Any, None]]


def with_engine(body: Body) -> Callable[[], None]:
    """Run an async test with an engine of its own."""

    @wraps(body)
    def test() -> None:
        async def scene() -> None:
            async with engine_of_its_own() as (engine, _), asyncio.timeout(60):
                await body(engine)

        asyncio.run(scene())

    del test.__wrapped__  # type: ignore[attr-defined]  # pytest must not see the parameter
    return test


@with_engine
async def test_a_life_from_create_to_remove(engine: Engine) -> None:
    containers = engine.containers
    events = engine.events.subscribe()
    container = await make(engine, "sh", "-c", "echo out; echo err >&2; exit 3", name="life")
    assert containers.get("life").status is Status.CREATED
    waiting = await containers.wait("life", WaitCondition.NEXT_EXIT)
    await containers.start("/life")
    assert (await waiting).exit_code == 3
    state = containers.get(container[:12]).state
    assert (state.status, state.exit_code, state.pid) == (Status.EXITED, 3, 0)
    assert 0 < state.started_ns <= state.finished_ns
    assert await output(engine, "life", stderr=False) == "out\n"
    assert await output(engine, "life", stdout=False) == "err\n"
    await containers.remove("life")
    with pytest.raises(NotFoundError, match="No such container: life"):
        containers.get("life")
    events.close()
    actions = [event.action async for event in events]
    assert actions == ["create", "connect", "start", "die", "disconnect", "destroy"]


@pytest.mark.option("HostConfig.AutoRemove")
@with_engine
async def test_one_that_removes_itself_is_gone_when_the_wait_says_so(engine: Engine) -> None:
    container = await make(engine, "false", host=HostConfig(auto_remove=True))
    removed = await engine.containers.wait(container, WaitCondition.REMOVED)
    await engine.containers.start(container)
    assert (await asyncio.wait_for(removed, PATIENCE)).exit_code == 1
    with pytest.raises(NotFoundError):
        engine.containers.get(container)


@pytest.mark.parametrize(
    ("command", "code", "words"),
    [
        ("nosuch", 127, 'exec: "nosuch": executable file not found in $PATH'),
        ("/nosuch", 127, "no such file or directory"),
        ("/etc/passwd", 126, "permission denied"),
        ("/etc", 126, ""),
    ],
)
def test_a_bad_command_is_refused_and_remembered(command: str, code: int, words: str) -> None:
    async def scene() -> None:
        async with engine_of_its_own() as (engine, _):
            container = await make(engine, command)
            with pytest.raises(StartRefusedError) as caught:
                await engine.containers.start(container)
            assert caught.value.exit_code == code
            assert words in str(caught.value)
            assert str(caught.value).startswith("failed to create task for container: ")
            with pytest.raises(StartRefusedError) as again:
                await engine.containers.restart(container)
            assert str(again.value) == f"Cannot restart container {container}: {caught.value}"
            state = engine.containers.get(container).state
            assert (state.status, state.exit_code) == (Status.CREATED, code)
            assert state.error == str(caught.value)
            itself = await make(engine, command, host=HostConfig(auto_remove=True))
            removed = await engine.containers.wait(itself, WaitCondition.REMOVED)
            with pytest.raises(StartRefusedError):
                await engine.containers.start(itself)
            assert (await asyncio.wait_for(removed, PATIENCE)).exit_code == code

    asyncio.run(scene())


@with_engine
async def test_starting_and_stopping_twice_changes_nothing(engine: Engine) -> None:
    container = await run(engine, "sleep", "1000")
    with pytest.raises(NotModifiedError):
        await engine.containers.start(container)
    await engine.containers.stop(container, timeout=0)
    with pytest.raises(NotModifiedError):
        await engine.containers.stop(container)
    with pytest.raises(ConflictError, match="is not running"):
        await engine.containers.kill(container)


@with_engine
async def test_stop_asks_first_and_kills_after_the_timeout(engine: Engine) -> None:
    script = "trap 'echo asked; exit 7' TERM; echo ready; while :; do sleep 0.05; done"
    polite = await run(engine, "sh", "-c", script)
    await ready(engine, polite)
    await engine.containers.stop(polite)
    assert engine.containers.get(polite).state.exit_code == 7
    deaf = await run(engine, "sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.05; done")
    await ready(engine, deaf)
    await engine.containers.stop(deaf, timeout=1)
    assert engine.containers.get(deaf).state.exit_code == 137


async def ready(engine: Engine, container: str) -> None:
    """Wait for the first line of its log."""
    batches = engine.containers.logs(container, LogQuery(follow=True))
    async with asyncio.timeout(PATIENCE):
        async for _ in batches:
            break
    await batches.aclose()


@with_engine
async def test_its_own_stop_signal_and_other_signals(engine: Engine) -> None:
    script = "trap 'exit 5' USR1; trap 'echo int' INT; echo ready; while :; do sleep 0.05; done"
    container = await run(engine, "sh", "-c", script, stop_signal="SIGUSR1")
    await ready(engine, container)
    await engine.containers.kill(container, "int")
    await engine.containers.stop(container)
    assert engine.containers.get(container).state.exit_code == 5
    assert "int\n" in await output(engine, container)
    with pytest.raises(InvalidArgumentError, match="invalid signal: NO"):
        await engine.containers.kill(container, "NO")


async def settled(engine: Engine, container: str) -> str:
    """Return the log once the shim has written what came before the pause."""
    seen = [await output(engine, container)]

    async def stands_still() -> bool:
        seen.append(await output(engine, container))
        return len(seen) > 20 and len(set(seen[-20:])) == 1

    await until(stands_still)
    return seen[-1]


@with_engine
async def test_pause_stops_it_and_unpause_lets_it_go_on(engine: Engine) -> None:
    containers = engine.containers
    container = await run(engine, "sh", "-c", "i=0; while :; do i=$((i+1)); echo $i; done")
    await containers.pause(container)
    assert containers.get(container).status is Status.PAUSED
    for verb, words in (
        (containers.pause(container), "is already paused"),
        (containers.start(container), "cannot start a paused container, try unpause instead"),
        (containers.remove(container), "container is paused and must be unpaused first"),
        (containers.exec_create(container, ExecConfig(("true",))), "is paused, unpause the"),
    ):
        with pytest.raises(ConflictError, match=words):
            await verb
    before = await settled(engine, container)
    assert await output(engine, container) == before
    await containers.unpause(container)
    assert containers.get(container).status is Status.RUNNING

    async def goes_on() -> bool:
        return await output(engine, container) != before

    await until(goes_on)
    await containers.pause(container)
    await containers.stop(container, timeout=1)  # thaws it, or it could not end
    assert containers.get(container).status is Status.EXITED


@with_engine
async def test_restart_keeps_the_container_and_its_files(engine: Engine) -> None:
    container = await run(
        engine, "sh", "-c", "echo x >> /n; cat /n; sleep 1000", host=HostConfig(auto_remove=True)
    )
    await ready(engine, container)
    first = engine.containers.get(container).state.pid
    await engine.containers.restart(container, timeout=0)
    state = engine.containers.get(container).state
    assert state.running
    assert state.pid != first

    async def ran_twice() -> bool:
        return await output(engine, container) == "x\nx\nx\n"

    await until(ran_twice)


@pytest.mark.option("HostConfig.RestartPolicy")
@with_engine
async def test_restart_policy_starts_again_with_growing_pauses(engine: Engine) -> None:
    host = HostConfig(restart_policy=RestartPolicy("on-failure", 2))
    container = await make(engine, "sh", "-c", "echo run; exit 4", host=host)
    await engine.containers.start(container)
    assert await outcome(engine, container) == 4
    assert engine.containers.get(container).state.restart_count == 2
    assert await output(engine, container) == "run\n" * 3
    always = await run(engine, "true", host=HostConfig(restart_policy=RestartPolicy("always")))
    await until(lambda: engine.containers.get(always).state.restart_count >= 2)
    await engine.containers.stop(always, timeout=0)
    assert engine.containers.get(always).status is Status.EXITED


@with_engine
async def test_names_are_taken_freed_and_changed(engine: Engine) -> None:
    first = await make(engine, "true", name="one")
    with pytest.raises(ConflictError) as caught:
        await make(engine, "true", name="one")
    assert str(caught.value) == (
        f'Conflict. The container name "/one" is already in use by container "{first}". '
        "You have to remove (or rename) that container to be able to reuse that name."
    )
    await engine.containers.rename("one", "two")
    second = await make(engine, "true", name="one")
    with pytest.raises(ConflictError, match="Error when allocating new name"):
        await engine.containers.rename("two", "one")
    assert (engine.containers.get("two").id, engine.containers.get("one").id) == (first, second)


@with_engine
async def test_refused_creates_leave_nothing(engine: Engine) -> None:
    for request in (
        make(engine, "true", name="x y"),
        make(engine, "true", host=HostConfig(memory=1)),
        make(engine, "true", host=HostConfig(network_mode="container:nobody")),
    ):
        with pytest.raises(BoxshipError):
            await request
    assert engine.containers.list(ContainerQuery(all=True)) == []
    name = await make(engine, "true", name="xy")
    assert engine.containers.get("xy").id == name


@with_engine
async def test_inside_it_looks_as_docker_makes_it(engine: Engine) -> None:
    text = await said(
        engine,
        "sh",
        "-c",
        "hostname; echo $$; cat /etc/hostname; head -1 /etc/hosts; ls -1 /dev | tr '\\n' ' '; echo;"
        "ip -o link | wc -l; id -u; cat /proc/self/status | grep -E 'Seccomp:|CapEff'; env | sort",
        hostname="box",
        env=("A=b",),
    )
    lines = text.splitlines()
    assert lines[:4] == ["box", "1", "box", "127.0.0.1\tlocalhost"]
    assert "null" in lines[4].split()
    assert lines[5:7] == ["1", "0"]
    assert "CapEff:\t00000000a80425fb" in lines
    assert "Seccomp:\t2" in lines
    assert "A=b" in lines


@with_engine
async def test_users_directories_tmpfs_and_binds(engine: Engine) -> None:
    place = Path(engine.settings.data_root).parent / "shared"
    place.mkdir()
    (place / "f").write_text("from the host\n")
    host = HostConfig(
        binds=(f"{place}:/in:ro", f"{place}/new:/out"),
        tmpfs={"/t": "size=1m"},
        readonly_rootfs=True,
    )
    text = await said(
        engine, "sh", "-c",
        "id -u; pwd; cat /in/f; touch /in/x || echo ro; touch /x || echo ro; echo hi > /out/g;"
        "df -k /t | tail -1 | awk '{print $2}'",
        user="1000:1000", working_dir="/tmp/made", host=host,
    )  # fmt: skip
    assert text.splitlines()[:3] == ["1000", "/tmp/made", "from the host"] or "read-only" in text


@with_engine
async def test_limits_bind(engine: Engine) -> None:
    host = HostConfig(memory=32 * 2**20, memory_swap=32 * 2**20, pids_limit=20)
    container = await run(
        engine, "sh", "-c", "dd if=/dev/zero of=/dev/shm/x bs=1M count=64", host=host
    )
    code = await outcome(engine, container)
    assert code != 0
    assert engine.containers.get(container).state.oom_killed or code == 137
    text = await said(
        engine,
        "sh",
        "-c",
        "for i in $(seq 40); do sleep 1 & done 2>&1 | head -1; echo end",
        host=host,
    )
    assert "fork" in text


@with_engine
async def test_one_container_may_share_anothers_namespaces(engine: Engine) -> None:
    donor = await run(
        engine, "sleep", "1000", hostname="donor", host=HostConfig(ipc_mode="shareable")
    )
    pid = engine.containers.get(donor).state.pid
    host = HostConfig(
        network_mode=f"container:{donor}",
        pid_mode=f"container:{donor[:12]}",
        ipc_mode=f"container:{donor}",
    )
    text = await said(
        engine, "sh", "-c",
        "for n in net pid ipc; do readlink /proc/self/ns/$n; done; hostname; cat /proc/1/cmdline;"
        "echo x > /dev/shm/x",
        host=host,
    )  # fmt: skip
    links = [os.readlink(f"/proc/{pid}/ns/{kind}") for kind in ("net", "pid", "ipc")]
    assert text.splitlines()[:4] == [*links, "donor"]
    assert await executed(engine, donor, "cat", "/dev/shm/x") == ("x\n", 0)
    await engine.containers.stop(donor, timeout=0)
    with pytest.raises(ConflictError, match="non running container"):
        await run(engine, "true", host=host)


@with_engine
async def test_attach_before_start_gets_everything(engine: Engine) -> None:
    container = await make(engine, "sh", "-c", "echo out; echo err >&2")
    client = Client()
    await attached(engine, container, client)
    await engine.containers.start(container)
    data = await client.receive_all()
    assert sorted(frames(data)) == [(1, b"out\n"), (2, b"err\n")]
    client.close()


@pytest.mark.option("OpenStdin", "StdinOnce")
@with_engine
async def test_stdin_reaches_the_process_and_its_end_does_too(engine: Engine) -> None:
    container = await make(engine, "cat", open_stdin=True, stdin_once=True)
    client = Client(prefix=b"early ")
    await attached(engine, container, client, stdin=True)
    await engine.containers.start(container)
    await client.send(b"late")
    client.end_input()
    assert text_of(await client.receive_all()) == "early late"
    assert await outcome(engine, container) == 0
    client.close()


@with_engine
async def test_a_client_that_leaves_before_the_start_is_forgotten(engine: Engine) -> None:
    container = await make(engine, "true")
    before = len(os.listdir("/proc/self/fd"))
    client = Client()
    await attached(engine, container, client)
    client.close()
    await until(lambda: len(os.listdir("/proc/self/fd")) <= before)
    await engine.containers.start(container)
    assert await outcome(engine, container) == 0


@with_engine
async def test_history_then_live_without_gap_or_duplicate(engine: Engine) -> None:
    count = "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); echo $i; done; exec sleep 1000"
    container = await run(engine, "sh", "-c", count)
    clients = [Client() for _ in range(5)]
    await ready(engine, container)
    reading = [asyncio.create_task(client.receive_until(b"20000\n")) for client in clients]
    for client in clients:
        await attached(engine, container, client, logs=True)
    for read in reading:
        assert text_of(await read).split() == [str(n) for n in range(1, 20001)]
    await engine.containers.kill(container)
    for client in clients:
        assert await client.receive_all() == b""
    for client in clients:
        client.close()


@with_engine
async def test_history_is_whole_when_the_container_ends_meanwhile(engine: Engine) -> None:
    count = "i=0; while [ $i -lt 4000 ]; do i=$((i+1)); echo $i; done"
    container = await run(engine, "sh", "-c", count)
    client = Client()
    await ready(engine, container)
    if engine.containers.get(container).state.running:
        joining = asyncio.create_task(attached(engine, container, client, logs=True))
        await outcome(engine, container)
        data = await client.receive_all()
        await joining
        assert text_of(data).split() == [str(n) for n in range(1, 4001)]
    client.close()


@with_engine
async def test_logs_follow_to_the_end_through_rotations(engine: Engine) -> None:
    log = LogConfig("json-file", {"max-size": "200k", "max-file": "50"})
    container = await make(
        engine, "sh", "-c", "i=0; while [ $i -lt 30000 ]; do i=$((i+1)); echo $i; done",
        host=HostConfig(log_config=log),
    )  # fmt: skip
    await engine.containers.start(container)
    text = await asyncio.wait_for(output(engine, container, follow=True), PATIENCE)
    assert text.split() == [str(n) for n in range(1, 30001)]
    assert await output(engine, container, tail=2) == "29999\n30000\n"


@with_engine
async def test_execs(engine: Engine) -> None:
    containers = engine.containers
    container = await run(engine, "sleep", "1000", env=("A=1",))
    assert await executed(engine, container, "sh", "-c", "echo $A $B; exit 4", env=("B=2",)) == (
        "1 2\n",
        4,
    )
    assert await executed(engine, container, "id", "-u", user="33") == ("33\n", 0)
    assert await executed(engine, container, "pwd", working_dir="/etc") == ("/etc\n", 0)
    text, code = await executed(
        engine, container, "sh", "-c", "stty size; tty", tty=True, console_size=(11, 22)
    )
    assert (text, code) == ("11 22\r\n/dev/pts/0\r\n", 0)
    said, code = await executed(engine, container, "nosuch")
    assert code == 127
    assert said.startswith(
        "OCI runtime exec failed: exec failed: unable to start container process: "
    )
    assert 'exec: "nosuch": executable file not found in $PATH' in said
    exec_id = await containers.exec_create(container, ExecConfig(("nosuch",)))
    with pytest.raises(StartRefusedError):
        await containers.exec_start(exec_id, detach=True)
    with pytest.raises(ConflictError, match="has already run"):
        await containers.exec_start(exec_id, detach=True)
    with pytest.raises(NotFoundError, match="No such exec instance: zzz"):
        containers.exec_inspect("zzz")
    await containers.stop(container, timeout=0)
    with pytest.raises(ConflictError, match="is not running"):
        await containers.exec_create(container, ExecConfig(("true",)))


@with_engine
async def test_execs_end_with_their_container(engine: Engine) -> None:
    container = await run(engine, "sleep", "1000")
    exec_id = await engine.containers.exec_create(container, ExecConfig(("sleep", "1000")))
    await engine.containers.exec_start(exec_id, detach=True)
    view = engine.containers.exec_inspect(exec_id)
    assert view.running
    assert view.pid > 0
    await engine.containers.kill(container)
    view = engine.containers.exec_inspect(exec_id)
    assert (view.running, view.exit_code) == (False, 137)


@pytest.mark.option("Tty", "HostConfig.ConsoleSize")
@with_engine
async def test_a_terminal_has_a_size_and_detach_keys(engine: Engine) -> None:
    container = await make(engine, "sh", tty=True, open_stdin=True)
    client = Client()
    await attached(engine, container, client, stdin=True, detach_keys="ctrl-x,x")
    await engine.containers.start(container)
    await engine.containers.resize(container, 33, 44)
    await client.receive_until(b"# ")
    await client.send(b"stty size\r")
    assert b"33 44" in await client.receive_until(b"33 44")
    await client.send(b"\x18x")
    await client.receive_all()
    assert engine.containers.get(container).state.running
    client.close()


@with_engine
async def test_top_shows_its_processes_and_no_others(engine: Engine) -> None:
    container = await run(engine, "sh", "-c", "sleep 1000 & sleep 1001; true")

    async def both_sleep() -> bool:
        commands = [row[-1] for row in (await engine.containers.top(container)).rows]
        return sorted(commands)[1:] == ["sleep 1000", "sleep 1001"]

    await until(both_sleep)
    table = await engine.containers.top(container)
    assert table.titles == ("UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD")
    short = await engine.containers.top(container, "-o pid,comm")
    assert short.titles == ("PID", "COMMAND")
    with pytest.raises(InvalidArgumentError):
        await engine.containers.top(container, "--nonsense")


@with_engine
async def test_an_init_reaps_and_forwards(engine: Engine) -> None:
    host = HostConfig(init=True)
    text = await said(engine, "sh", "-c", "echo $$; cat /proc/1/comm", host=host)
    assert text.splitlines()[0] != "1"
    container = await run(engine, "sleep", "1000", host=host)
    await engine.containers.stop(container)
    assert engine.containers.get(container).state.exit_code == 128 + signal.SIGTERM


@with_engine
async def test_force_removes_a_running_one(engine: Engine) -> None:
    container = await run(engine, "sleep", "1000")
    with pytest.raises(
        ConflictError, match="container is running: stop the container before removing"
    ):
        await engine.containers.remove(container)
    await engine.containers.remove(container, force=True)
    with pytest.raises(NotFoundError):
        engine.containers.get(container)


@with_engine
async def test_many_at_once(engine: Engine) -> None:
    async def one(number: int) -> int:
        host = HostConfig(auto_remove=number % 2 == 0)
        container = await make(engine, "sh", "-c", f"exit {number}", host=host)
        waiting = await engine.containers.wait(container, WaitCondition.NEXT_EXIT)
        await engine.containers.start(container)
        code = (await asyncio.wait_for(waiting, PATIENCE)).exit_code
        if not host.auto_remove:
            await engine.containers.remove(container, force=True)
        return code

    assert await asyncio.gather(*(one(n) for n in range(40))) == list(range(40))
