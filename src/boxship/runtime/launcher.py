"""The launcher: a warm interpreter that forks a shim for each message and knows nothing else.

::

    daemon ── SOCK_SEQPACKET ──► launcher ── fork ──► shim
                {"op": "shim"} + the shim's control socket

There is no reply. When a shim cannot be forked, its control socket is closed, which the daemon
sees at the other end. When the daemon's socket ends, the launcher leaves; shims live on.

Everything a shim will ever need is imported here, before the first fork, and taken out of the
garbage collector's sight (``gc.freeze``), whose bookkeeping would otherwise write to, and so
copy, the pages that all shims share.
"""

import _socket
import gc
import os
import resource
import signal
from typing import Final, NoReturn

from boxship.kernel.processes import default_internal_signals
from boxship.runtime.shim.containment import LinuxContainment
from boxship.runtime.shim.main import Prepared, be_shim
from boxship.runtime.shim.rehearsal import rehearse
from boxship.runtime.warm import warm_up

CONTROL_FD: Final = 3
"""Where the daemon's socket is found; 0 and 1 are /dev/null, 2 is the launcher's log."""

SHIM_REQUEST: Final = b'{"op": "shim"}'

_NAME: Final = b"boxship-launche"  # the kernel keeps 15 bytes
_SHIM_NAME: Final = b"boxship-shim"
_MAX_REQUEST: Final = 4096
_MAX_FDS: Final = 16


def main(run_dir: str) -> NoReturn:
    """Serve the daemon at descriptor 3 until it is gone."""
    os.closerange(CONTROL_FD + 1, 1 << 20)
    control = _socket.socket(fileno=CONTROL_FD)
    os.set_inheritable(CONTROL_FD, False)
    default_internal_signals()
    gc.disable()
    warm_up()
    rehearse(f"{run_dir}/rehearsal")
    # Ended shims are reaped by the kernel. The other signals are for the shims to ignore.
    for number in (signal.SIGCHLD, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    prepared = Prepared(LinuxContainment(_raise_open_files()))
    gc.freeze()
    name = os.open("/proc/self/comm", os.O_WRONLY | os.O_CLOEXEC)
    os.write(name, _NAME)
    while (request := _receive(control)) is not None:
        data, fds = request
        if data == SHIM_REQUEST and len(fds) == 1 and _fork(name) == 0:
            os.close(name)
            control.close()
            be_shim(prepared, fds[0])
        for fd in fds:
            os.close(fd)
    os._exit(0)


def _raise_open_files() -> int:
    """Let shims have as many descriptors as they may; return how many it were before."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return soft


def _receive(control: _socket.socket) -> tuple[bytes, list[int]] | None:
    """Return the next message and its descriptors, None when the daemon is gone."""
    data, ancillary, _, _ = control.recvmsg(
        _MAX_REQUEST, _socket.CMSG_SPACE(4 * _MAX_FDS), _socket.MSG_CMSG_CLOEXEC
    )
    fds = [fd for _, _, rights in ancillary for fd in memoryview(rights).cast("i")]
    return (data, fds) if data or fds else None


def _fork(name: int) -> int:
    """Fork; -1 when the kernel does not let us."""
    # A child gets its name from here, which saves it the memory that renaming itself would cost.
    os.write(name, _SHIM_NAME)
    try:
        pid = os.fork()
    except OSError:
        pid = -1
    if pid:
        os.write(name, _NAME)
    return pid
