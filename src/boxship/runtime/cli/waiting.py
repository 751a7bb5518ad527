"""Serving a foreground process until its end: signals, terminal, exit status."""

import os

from boxship.kernel import signals
from boxship.runtime.process import Spawned

_FORWARDED = (signals.SIGTERM, signals.SIGINT, signals.SIGHUP, signals.SIGQUIT, signals.SIGUSR1,
              signals.SIGUSR2)  # fmt: skip


def forward_signals(spawned: Spawned) -> None:
    """Pass on what is sent to us, from now on; best before the process begins."""

    def forward(number: int, _: object) -> None:
        signals.pidfd_send_signal(spawned.pidfd, number)

    for number in _FORWARDED:
        signals.signal(number, forward)


def wait(spawned: Spawned) -> int:
    """Return the process's exit status, 128 and the signal's number if one ended it."""
    forward_signals(spawned)
    if spawned.master >= 0:
        from boxship.runtime.cli.console import Proxy

        Proxy(spawned.master, spawned.pidfd).run()
    _, status = os.waitpid(spawned.pid, 0)
    code = os.waitstatus_to_exitcode(status)
    return 128 - code if code < 0 else code
