"""The init program: its listing, and what it does as the first process of a pid namespace."""

import os
import platform
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from boxship.base.errors import NotImplementedYetError
from boxship.base.frozen import replace
from boxship.kernel import namespaces
from boxship.runtime import pid1
from boxship.runtime.blueprint import Plan
from support.boxes import Box

BUSYBOX = "/bin/busybox"
PID_NAMESPACE = namespaces.CLONE_FLAGS["pid"]


@pytest.fixture
def program(tmp_path: Path) -> str:
    if platform.machine() not in {"x86_64", "aarch64"}:
        pytest.skip("no listing for this machine")
    path = tmp_path / "init"
    path.write_bytes(pid1.init_program())
    path.chmod(0o755)
    return str(path)


@pytest.fixture
def fifo(tmp_path: Path) -> Iterator[str]:
    path = tmp_path / "fifo"
    os.mkfifo(path)
    yield str(path)


def as_pid_1(program: str, script: str) -> subprocess.Popen[str]:
    """Start the program as PID 1 of a new namespace, with a shell as its command."""
    command = [program, BUSYBOX, "sh", "-c", script]
    return subprocess.Popen(
        ["unshare", "--pid", "--fork", "--kill-child", *command], stdout=subprocess.PIPE, text=True
    )


def test_a_machine_without_a_listing_is_refused() -> None:
    with pytest.raises(NotImplementedYetError, match="riscv64"):
        pid1.init_program("riscv64")


@pytest.mark.skipif(shutil.which("objdump") is None, reason="needs objdump (binutils)")
@pytest.mark.skipif(platform.machine() != "x86_64", reason="objdump knows its own machine")
def test_a_disassembler_reads_the_listing_as_it_is_written(tmp_path: Path) -> None:
    code = bytes.fromhex("".join(row for row, _ in pid1._X86_64))
    (tmp_path / "code").write_bytes(code)
    read = subprocess.run(
        ["objdump", "-D", "-b", "binary", "-m", "i386:x86-64", "-M", "intel", tmp_path / "code"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    mnemonics = re.findall(r"^\s+[0-9a-f]+:\t[0-9a-f ]+\t(\w+)", read, re.MULTILINE)
    assert mnemonics == [text.split(": ")[-1].split()[0] for _, text in pid1._X86_64]


@pytest.mark.privileged
def test_the_commands_end_is_its_end(program: str) -> None:
    with as_pid_1(program, "exit 7") as process:
        assert process.wait() == 7
    with as_pid_1(program, "kill -TERM $$") as process:
        assert process.wait() == 128 + signal.SIGTERM


@pytest.mark.privileged
def test_orphans_are_reaped(program: str) -> None:
    # The inner shell ends at once; its child becomes PID 1's, and must be gone when it has ended.
    script = (
        "ps() { ls -d /proc/[0-9]* | wc -l; }; mount -t proc proc /proc 2>/dev/null;"
        "pid=$(sh -c 'true & echo $!'); while [ -d /proc/$pid ]; do :; done; echo reaped"
    )
    command = ["unshare", "--pid", "--mount", "--fork", "--kill-child", program]
    done = subprocess.run(
        [*command, BUSYBOX, "sh", "-c", script],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert done.stdout == "reaped\n"


@pytest.mark.privileged
def test_signals_reach_the_command(program: str) -> None:
    script = "trap 'echo got; exit 3' TERM; echo ready; while :; do sleep 1 & wait; done"
    with as_pid_1(program, script) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        (child,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        os.kill(int(child), signal.SIGTERM)
        assert process.stdout.read() == "got\n"
        assert process.wait() == 3


@pytest.mark.privileged
def test_a_signal_that_was_there_before_it_reaches_the_command(program: str) -> None:
    """A container is said to run as soon as this is executed, and may be stopped then."""
    script = (
        "import os, signal; signal.pthread_sigmask(signal.SIG_SETMASK, signal.valid_signals());"
        f"os.kill(1, signal.SIGTERM); os.execv({program!r}, {[program, BUSYBOX, 'sleep', '20']})"
    )
    command = ["unshare", "--pid", "--fork", "--kill-child", sys.executable, "-S", "-c", script]
    assert subprocess.run(command, check=False).returncode == 128 + signal.SIGTERM


@pytest.mark.privileged
def test_it_is_executed_with_signals_blocked_and_nobody_else(
    box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    asks = box.rootfs / "bin/asks"
    asks.write_text("#!/bin/sh\ngrep SigBlk /proc/self/status\n")
    asks.chmod(0o755)
    assert int(box.run("/bin/asks").output.split()[1], 16) == 0
    planned = box.planned

    def with_init(*args: str, **changes: Any) -> Plan:
        plan = planned(*args, **changes)
        return replace(plan, process=replace(plan.process, init="/bin/asks"))

    monkeypatch.setattr(box, "planned", with_init)
    blocked = int(box.run("true").output.split()[1], 16)
    assert blocked & 1 << signal.SIGTERM - 1
    assert blocked & 1 << signal.SIGUSR1 - 1
