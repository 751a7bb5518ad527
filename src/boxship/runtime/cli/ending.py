"""The end of a container: what ``delete`` and a foreground ``run`` have in common."""

import os
import select

from boxship.base.errors import BoxshipError, ConflictError
from boxship.base.suppress import suppress
from boxship.kernel import signals
from boxship.runtime import hooks
from boxship.runtime.cgroups import control
from boxship.runtime.cli.call import Call
from boxship.runtime.cli.store import STOPPED, Record, Store, open_init


def remove_container(call: Call, store: Store, record: Record) -> None:
    """Kill what is left of a container, remove it, and run its poststop hooks."""
    if store.status(record) != STOPPED and not record.cgroup.directories:
        _kill_init(record)
    control.kill_and_remove(record.cgroup)
    store.remove(record.container_id)
    state = record.hook_state.at(hooks.STOPPED, 0)
    for number, hook in enumerate(record.poststop):
        try:
            hooks.run("poststop", (hook,), state)
        except hooks.HookError as error:
            call.warn(str(error).replace("#0", f"#{number}", 1))


def _kill_init(record: Record) -> None:
    """Without cgroups the container's pid namespace has to do: it ends with its first process."""
    with suppress(ProcessLookupError, ConflictError):
        init = open_init(record)
        signals.pidfd_send_signal(init, signals.SIGKILL)
        poller = select.poll()
        poller.register(init, select.POLLIN)
        poller.poll(10_000)
        os.close(init)


def run_poststart(call: Call, store: Store, record: Record) -> None:
    """Run the hooks that follow a start; one that fails is the end of the container."""
    if not record.poststart:
        return
    try:
        hooks.run("poststart", record.poststart, record.hook_state.at(hooks.RUNNING, record.pid))
    except hooks.HookError as error:
        with suppress(OSError):
            control.kill(record.cgroup)
        with suppress(OSError, BoxshipError):
            remove_container(call, store, record)
        raise BoxshipError(str(error)) from None
