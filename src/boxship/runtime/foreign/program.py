"""Calling an OCI runtime, and reading from its log why it failed.

A runtime may hang, and may be killed, and so may we: it gets a time, it dies with us, and its
descriptors are the three it is given. Of what we ignore as a shim it ignores nothing, because
the container would inherit that.
"""

import json
import os
import select
import signal
import time
from typing import Final, NoReturn

from boxship.kernel import processes
from boxship.runtime.blueprint import ForeignPlan
from boxship.runtime.messages import RUNTIME
from boxship.runtime.process import StepFailedError

STATE: Final = "state"
"""The runtime's ``--root``, in the directory of the container."""

_CANNOT_RUN: Final = 125
_NOT_EXECUTABLE: Final = 126
_NOT_FOUND: Final = 127
_LOG_END: Final = 1 << 16
_FAILURES: Final = ("error", "fatal", "panic")
_UNCATCHABLE: Final = (signal.SIGKILL, signal.SIGSTOP)


def call(
    foreign: ForeignPlan,
    words: tuple[str, ...],
    *,
    log: str,
    seconds: float,
    streams: tuple[int, int, int] | None = None,
) -> None:
    """Run one verb, ``words``, to its end. Raise StepFailedError with what it logged.

    It runs in ``foreign.directory``, to which the name ``log`` and others are relative. Without
    ``streams`` it has none.
    """
    log_path = f"{foreign.directory}/{log}"
    argv = command(foreign, words, log_path)
    status = _wait(_start(argv, foreign.directory, streams), seconds)
    if status == 0:
        return
    verb = words[0]
    name = os.path.basename(foreign.program)
    if status is None:
        message = f"{name} {verb} took longer than {seconds:.0f} s"
    else:
        message = _last_words(log_path) or f"{name} {verb} {_ending(status)}"
    raise StepFailedError(RUNTIME, 0, message)


def command(foreign: ForeignPlan, words: tuple[str, ...], log: str) -> tuple[str, ...]:
    """Return the whole command line of one verb."""
    return (
        foreign.program, *foreign.arguments,
        "--root", f"{foreign.directory}/{STATE}", "--log", log, "--log-format", "json",
        *words,
    )  # fmt: skip


def warnings(path: str) -> tuple[str, ...]:
    """Return what a runtime warned of in its log."""
    return tuple(message for level, message in _entries(path) if level == "warning")


def exit_code(message: str, command: str) -> int:
    """Return what Docker exits with when a runtime refuses a command so.

    The text is all there is: the specification names no errors, and dockerd takes it from there,
    too. runc and crun agree in the kernel's words at its end.
    """
    text = message.lower()
    if "permission denied" in text or "is a directory" in text:
        return _NOT_EXECUTABLE
    missing = "executable file not found" in text or "no such file or directory" in text
    if (missing and command.lower() in text) or "not a directory" in text:
        return _NOT_FOUND
    return _CANNOT_RUN


def _start(
    argv: tuple[str, ...], directory: str, streams: tuple[int, int, int] | None
) -> tuple[int, int]:
    """Return pid and pidfd of the program, which is executing. Raise StepFailedError."""
    reading, writing = os.pipe()
    caller = os.getpid()
    pid = os.fork()
    if pid == 0:
        _execute(argv, directory, streams, (caller, writing))
    os.close(writing)
    try:
        told = os.read(reading, 4)
    finally:
        os.close(reading)
    if told:
        os.waitpid(pid, 0)
        number = int.from_bytes(told, "little")
        message = f"cannot run the runtime {argv[0]}: {os.strerror(number)}"
        raise StepFailedError("execute", number, message, _CANNOT_RUN)
    return pid, os.pidfd_open(pid)


def _execute(
    argv: tuple[str, ...],
    directory: str,
    streams: tuple[int, int, int] | None,
    caller: tuple[int, int],
) -> NoReturn:
    """Become the program, in a process forked for it; tell ``caller`` (pid, pipe) why not."""
    number = 0
    try:
        processes.set_parent_death_signal(signal.SIGKILL)
        if os.getppid() != caller[0]:
            os._exit(1)
        for one in signal.valid_signals():
            if one not in _UNCATCHABLE:
                signal.signal(one, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        os.chdir(directory)
        nothing = os.open(os.devnull, os.O_RDWR)
        for target, fd in enumerate(streams or (-1, -1, -1)):
            os.dup2(nothing if fd < 0 else fd, target)
        processes.close_on_exec_from(3)
        os.execve(argv[0], argv, os.environ)
    except OSError as error:
        number = error.errno or 0
    finally:
        os.write(caller[1], number.to_bytes(4, "little"))
        os._exit(1)


def _wait(started: tuple[int, int], seconds: float) -> int | None:
    """Return the exit status, None if the time was not enough."""
    pid, pidfd = started
    try:
        poller = select.poll()
        poller.register(pidfd, select.POLLIN)
        deadline = time.monotonic() + seconds
        in_time = False
        while not in_time and (left := deadline - time.monotonic()) > 0:
            in_time = bool(poller.poll(1000 * left))
        if not in_time:
            os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        return os.waitstatus_to_exitcode(status) if in_time else None
    finally:
        os.close(pidfd)


def _ending(status: int) -> str:
    if status < 0:
        return f"was killed by {signal.Signals(-status).name}"
    return f"ended with {status} and did not say why"


def _last_words(path: str) -> str:
    """Return the last error of a runtime's log, in one line."""
    entries = _entries(path)
    found = [message for level, message in entries if level in _FAILURES]
    return " ".join((found or [message for _, message in entries[-1:]] or [""])[-1].split())


def _entries(path: str) -> list[tuple[str, str]]:
    """Return level and message of a log's last lines; a line that is no JSON is an error."""
    try:
        with open(path, "rb") as stream:
            stream.seek(max(0, os.fstat(stream.fileno()).st_size - _LOG_END))
            lines = stream.read().decode(errors="replace").splitlines()
    except OSError:
        return []
    return [_entry(line) for line in lines if line.strip()]


def _entry(line: str) -> tuple[str, str]:
    try:
        content = json.loads(line)
        return str(content["level"]), str(content["msg"])
    except (ValueError, KeyError, TypeError):
        return "error", line
