"""A daemon that no systemd looks after is replaced by the installation itself."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from boxship.base.errors import UnavailableError
from boxship.installing import machine
from support.engine import Engine

pytestmark = [pytest.mark.privileged, pytest.mark.boxshipd]


def test_containers_run_on_under_the_next(make_engine: Callable[..., Engine]) -> None:
    engine = make_engine()
    engine.start()
    engine.load("busybox")
    engine.api.create("web", Cmd=["sleep", "1000"])
    engine.api.start("web")
    pid = engine.api.inspect("web")["State"]["Pid"]
    pid_file, log = str(engine.home / "d.pid"), str(engine.home / "log")
    daemon = machine.running(pid_file)
    assert daemon is not None
    assert daemon.pid == engine.pid
    assert list(daemon.arguments[1:]) == engine.flags

    machine.replace(daemon, engine.command[0], log)
    assert engine.wait() == 0
    later = machine.running(pid_file)
    assert later is not None
    assert later.pid != daemon.pid
    # It serves from the moment that `replace` returns: nothing is waited for here.
    assert engine.api.inspect("web")["State"]["Pid"] == pid

    machine.make_room(later)
    assert os.waitpid(later.pid, 0)[1] == 0
    assert machine.running(pid_file) is None
    engine.start()  # for the end of the test to end
    engine.api.remove("web")


def test_a_next_one_that_does_not_start_is_told(
    make_engine: Callable[..., Engine], tmp_path: Path
) -> None:
    engine = make_engine()
    engine.start()
    daemon = machine.running(str(engine.home / "d.pid"))
    assert daemon is not None
    broken = tmp_path / "boxshipd"
    broken.write_text("#!/bin/sh\nexit 3\n")
    broken.chmod(0o755)
    log = str(tmp_path / "log")
    with pytest.raises(UnavailableError, match=f"{broken} ended with 3: see {log}"):
        machine.replace(daemon, str(broken), log)
    assert engine.wait() == 0


def test_a_pid_file_that_nobody_holds_names_nobody(tmp_path: Path) -> None:
    assert machine.running(str(tmp_path / "none")) is None
    (tmp_path / "d.pid").write_text("1")
    assert machine.running(str(tmp_path / "d.pid")) is None


def test_one_that_has_gone_meanwhile_is_no_error() -> None:
    gone = os.fork()
    if gone == 0:
        os._exit(0)
    os.waitpid(gone, 0)
    machine.make_room(machine.Running(gone, ("boxshipd",)))
