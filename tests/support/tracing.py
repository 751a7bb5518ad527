"""Killing a daemon at a chosen one of the system calls by which it changes the world.

strace counts them while an operation runs, for each thread; in a later round it kills the daemon on
the n-th that any thread makes.
"""

import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPException
from pathlib import Path

from support.engine import Engine
from support.waiting import eventually

CHANGES = (
    "mkdir,mkdirat,rmdir,unlink,unlinkat,rename,renameat,renameat2,link,linkat,symlink,symlinkat,"
    "pwrite64,ftruncate,fsync,fdatasync,mount,umount2,sendmsg,sendto,setxattr,fchmod,chmod"
)
Operation = Callable[[Engine], None]
_ATTEMPTS = 4


@contextmanager
def traced(engine: Engine, output: Path, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    """strace on every thread of the daemon; or on none, if it died of ``options`` meanwhile."""
    command = [
        "strace",
        "-qq",
        "-f",
        "-o",
        str(output),
        "-p",
        str(engine.pid),
        "-e",
        f"trace={CHANGES}",
    ]
    tracer = _attached(engine, [*command, *options])
    try:
        yield tracer
    finally:
        _end(tracer)


def _attached(engine: Engine, command: list[str]) -> subprocess.Popen[bytes]:
    """Start strace again if a thread is missing: it was made while strace went through them."""
    for _ in range(_ATTEMPTS):
        tracer = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        try:
            eventually(lambda: not engine.runs() or is_traced(engine.pid), "strace", timeout=5)
        except BaseException as error:
            _end(tracer)
            if not isinstance(error, AssertionError):
                raise
        else:
            return tracer
    raise AssertionError(f"strace took hold of no more than some threads, {_ATTEMPTS} times")


def _end(tracer: subprocess.Popen[bytes]) -> None:
    tracer.terminate()
    try:
        tracer.wait(2)
    except subprocess.TimeoutExpired:
        tracer.kill()
        tracer.wait()


def is_traced(pid: int) -> bool:
    """Whether all threads that it has are."""
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(FileNotFoundError, ProcessLookupError):  # a thread that ends
            if "TracerPid:\t0\n" in (task / "status").read_text():
                return False
    return True


def count_calls(engine: Engine, operation: Operation, trace: Path) -> int:
    """The most that any one thread makes: strace counts for each of them."""
    with traced(engine, trace):
        operation(engine)
    threads = [line.split()[0] for line in trace.read_text().splitlines()]
    return max(threads.count(thread) for thread in set(threads))


def points(calls: int, how_many: int) -> list[int]:
    """Numbers of calls to die at: the first, the last, and some in between."""
    some = {1 + round(step * (calls - 1) / max(1, how_many - 1)) for step in range(how_many)}
    return sorted(some)


def kill_at(engine: Engine, operation: Operation, point: int, trace: Path) -> None:
    """Run the operation with the daemon dying on its `point`-th call, at the latest after it."""

    def attempt() -> None:
        with suppress(OSError, HTTPException, AssertionError):  # no answer, or half of one
            operation(engine)

    print(f"killed at call {point}")
    with traced(engine, trace, "-e", f"inject={CHANGES}:signal=KILL:when={point}") as tracer:
        client = threading.Thread(target=attempt)
        client.start()
        client.join(30)
        assert not client.is_alive(), "the request was neither answered nor broken off"
        tracer.kill()  # it waits in vain for what has been killed, and its words are not needed
    engine.kill()


def how_many(default: int) -> int:
    """Points per operation; more by BOXSHIP_KILL_POINTS for a longer, finer sweep."""
    return int(os.environ.get("BOXSHIP_KILL_POINTS", default))
