"""Execs that are held up before their command: the shim goes on without them."""

import os
import signal
from pathlib import Path

import pytest

from boxship.runtime import messages as m
from boxship.runtime.control_codec import encode
from support.waiting import eventually

TERMINAL = m.Stdio(tty=True)


@pytest.fixture
def gate(tmp_path: Path) -> Path:
    """What a held-up process waits for: somebody who opens it for writing."""
    path = tmp_path / "gate"
    os.mkfifo(path)
    return path


def held(gate: Path) -> str:
    """A command whose file can not be opened until the gate is: ``PlainContainment`` waits."""
    return f"held:{gate}"


def ask(peer, message: m.Message, seq: int) -> None:
    peer.sock.sendall(encode(message, seq=seq))


def test_signals_and_sizes_do_not_wait_for_an_exec(shim, process_plan, gate):
    shim.start("cat", stdio=TERMINAL)
    ask(shim.peer, m.Exec(exec_id="e", plan=process_plan(held(gate), "true")), 100)
    shim.peer.expect(m.Done, m.Resize(height=1, width=2))
    assert shim.peer.expect(m.State, m.StateQuery()).execs == ()
    gate.write_text("")
    assert isinstance(shim.peer.reply(100), m.Started)
    assert shim.peer.event(m.ExecExited).exit_code == 0


def test_a_container_ends_while_an_exec_is_held_up(shim, process_plan, gate):
    shim.start("sleep", "60")
    ask(shim.peer, m.Exec(exec_id="e", plan=process_plan(held(gate), "true")), 100)
    shim.peer.expect(m.Done, m.Signal(signal=signal.SIGKILL))
    assert shim.peer.event(m.Exited).exit.exit_code == 137
    gate.write_text("")
    assert isinstance(shim.peer.reply(100), m.Started)
    shim.peer.event(m.ExecExited)
    shim.peer.expect(m.Released, m.Release())
    assert shim.wait() == 0


def test_two_at_once_each_with_its_own_end(shim, process_plan, gate):
    shim.start("sleep", "60")
    slow = m.Exec(exec_id="slow", plan=process_plan(held(gate), "sh", "-c", "exit 3"))
    ask(shim.peer, slow, 100)
    quick = m.Exec(exec_id="quick", plan=process_plan("sh", "-c", "exit 4"))
    shim.peer.expect(m.Started, quick)
    # Collected although the other one is not born yet.
    assert shim.peer.event(m.ExecExited) == m.ExecExited(exec_id="quick", exit_code=4)
    gate.write_text("")
    assert isinstance(shim.peer.reply(100), m.Started)
    assert shim.peer.event(m.ExecExited) == m.ExecExited(exec_id="slow", exit_code=3)


def test_one_id_asked_for_twice_at_once_is_given_once(shim, process_plan, gate):
    shim.start("sleep", "60")
    first = m.Exec(exec_id="e", plan=process_plan(held(gate), "sleep", "60"))
    ask(shim.peer, first, 100)
    shim.peer.expect(m.Started, m.Exec(exec_id="e", plan=process_plan("sleep", "60")))
    gate.write_text("")
    assert isinstance(shim.peer.reply(100), m.Failed)
    assert [e.exec_id for e in shim.peer.expect(m.State, m.StateQuery()).execs] == ["e"]
    children = Path(f"/proc/{shim.pid}/task/{shim.pid}/children")
    eventually(lambda: len(children.read_text().split()) == 2, "the end of the second process")
