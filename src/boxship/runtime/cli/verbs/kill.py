"""``kill``: send a signal to a container's first process, or to all."""

import os

from boxship.base.errors import ConflictError, InvalidArgumentError
from boxship.base.suppress import suppress
from boxship.kernel import signals
from boxship.runtime.cgroups import control
from boxship.runtime.cli.call import Call
from boxship.runtime.cli.store import STOPPED, Record, Store, open_init


def run(call: Call) -> int:
    """Send it."""
    operands = call.arguments.operands
    number = parse_signal(operands[1] if len(operands) > 1 else "TERM")
    store = Store(call.root)
    record = store.load(call.container_id)
    if call.arguments.switch("all"):
        for pid in control.processes(record.cgroup):
            with suppress(ProcessLookupError):
                os.kill(pid, number)
        return 0
    if store.status(record) == STOPPED:
        raise ConflictError("container not running")
    _send(record, number)
    if number == signals.SIGKILL and _is_frozen(record):
        # A frozen v1 cgroup would keep the killed process until somebody resumes it.
        control.resume(record.cgroup)
    return 0


def _send(record: Record, number: int) -> None:
    pidfd = open_init(record)
    try:
        signals.pidfd_send_signal(pidfd, number)
    finally:
        os.close(pidfd)


def _is_frozen(record: Record) -> bool:
    try:
        return control.is_paused(record.cgroup)
    except OSError:
        return False


def parse_signal(text: str) -> int:
    """Read ``9``, ``KILL``, ``SIGKILL``, ``RTMIN+3``; raise InvalidArgumentError."""
    if text.isdecimal() and int(text) < signals.NSIG:
        return int(text)
    name = text.upper().removeprefix("SIG")
    base, sign, offset = name.partition("+" if "+" in name else "-")
    try:
        number = signals.number_of(f"SIG{base}")
        if sign:
            number += int(offset) if sign == "+" else -int(offset)
    except (KeyError, ValueError):
        raise InvalidArgumentError(f'unknown signal "{text}"') from None
    return number
