"""What holds a created container's init back until ``start``.

``exec.fifo`` carries one byte from start to init, ``outcome.fifo`` the reason from init to start
when the command cannot be executed after all. Init holds both since before it changed its root,
so it needs no path and no /proc; close-on-exec makes the end of ``outcome.fifo`` mean success.
Start finds out that init is gone by ENXIO: nobody reads the FIFO any more.
"""

import errno
import fcntl
import os

from boxship.base import jsontext
from boxship.base.errors import ConflictError, UnavailableError
from boxship.runtime.birth import Gate
from boxship.runtime.cli.store import EXEC_FIFO, OUTCOME_FIFO


def make_gate(directory: str) -> Gate:
    """Make the FIFOs and open init's ends; the caller closes its copies."""
    try:
        os.mkfifo(f"{directory}/{EXEC_FIFO}", 0o600)
        os.mkfifo(f"{directory}/{OUTCOME_FIFO}", 0o600)
    except OSError as error:  # it has no path of itself
        raise UnavailableError(f"{directory}: {error.strerror}") from None
    flags = os.O_NONBLOCK | os.O_CLOEXEC
    # Both for both ways. The first, so that a start that is killed before it has written is no end
    # of file, which init could not tell from leave. The second, because for writing alone it could
    # not be opened before start is there.
    fifo = os.open(f"{directory}/{EXEC_FIFO}", os.O_RDWR | flags)
    return Gate(fifo, os.open(f"{directory}/{OUTCOME_FIFO}", os.O_RDWR | flags))


def close_gate(gate: Gate) -> None:
    os.close(gate.fifo)
    os.close(gate.outcome)


def open_gate(directory: str) -> str:
    """Let init go on; return once it has executed, or why it could not.

    Raise ConflictError when it is not waiting (any more).
    """
    outcome = os.open(f"{directory}/{OUTCOME_FIFO}", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        _send_byte(f"{directory}/{EXEC_FIFO}")
        os.set_blocking(outcome, True)
        said = b""
        while chunk := os.read(outcome, 4096):
            said += chunk
    finally:
        os.close(outcome)
    return str(jsontext.loads(said)) if said else ""


def _send_byte(path: str) -> None:
    try:
        fifo = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno not in (errno.ENXIO, errno.ENOENT):
            raise
        raise ConflictError("cannot start a container that has stopped") from None
    try:
        # Of two that start it at once, one has to be told that it runs.
        fcntl.flock(fifo, fcntl.LOCK_EX)
        if not os.path.exists(path):
            raise ConflictError("cannot start an already running container")
        os.write(fifo, b"0")
        os.unlink(path)
    finally:
        os.close(fifo)
