"""Serving a foreground process until its end: signals, terminal, exit status."""

import os
import signal

from boxship.runtime.process import Spawned

_FORWARDED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1,
              signal.SIGUSR2)  # fmt: skip


def wait(spawned: Spawned) -> int:
    """Return the process's exit status, 128 and the signal's number if one ended it."""
    for number in _FORWARDED:
        signal.signal(number, lambda received, _: signal.pidfd_send_signal(spawned.pidfd, received))
    if spawned.master >= 0:
        from boxship.runtime.cli.console import Proxy

        Proxy(spawned.master, spawned.pidfd).run()
    _, status = os.waitpid(spawned.pid, 0)
    code = os.waitstatus_to_exitcode(status)
    return 128 - code if code < 0 else code
