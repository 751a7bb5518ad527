"""``run``: create, start and, unless detached, wait for the end."""

import os

from boxship.base.suppress import suppress
from boxship.kernel.processes import set_child_subreaper
from boxship.runtime.cli.call import Call
from boxship.runtime.cli.creation import Creation, check_terminal
from boxship.runtime.cli.ending import remove_container, run_poststart
from boxship.runtime.cli.waiting import forward_signals, wait
from boxship.runtime.process import Spawned


def run(call: Call) -> int:
    """Return the process's exit status, 128 and the signal's number if one ended it."""
    creation = Creation(call)
    detached = call.arguments.switch("detach")
    check_terminal(call, terminal=creation.plan.process.terminal, detached=detached)
    if not detached and not call.arguments.switch("no-subreaper"):
        set_child_subreaper()

    def started(begun: Spawned) -> None:
        if not detached:
            forward_signals(begun)

    spawned = creation.make(waits=False, started=started)
    record = creation.made
    assert record is not None
    run_poststart(call, creation.store, record)
    if detached:
        return 0
    try:
        status = wait(spawned)
    finally:
        if not call.arguments.switch("keep"):
            remove_container(call, creation.store, record)
        _reap_adopted()
    return status


def _reap_adopted() -> None:
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
