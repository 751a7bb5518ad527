"""``events``: print statistics and oom events as lines of JSON."""

import json
import os
import select

from boxship.base.errors import ConflictError, InvalidArgumentError
from boxship.runtime.cgroups import control
from boxship.runtime.cli.call import Call
from boxship.runtime.cli.statistics import statistics_of
from boxship.runtime.cli.store import STOPPED, Record, Store

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def run(call: Call) -> int:
    """Print once, or until the container ends."""
    interval = _seconds(call.arguments.text("interval"))
    store = Store(call.root)
    record = store.load(call.container_id)
    if store.status(record) == STOPPED:
        raise ConflictError(f"container with id {record.container_id} is not running")
    if call.arguments.switch("stats"):
        _print_stats(record)
        return 0
    _follow(record, interval)
    return 0


def _follow(record: Record, interval: float) -> None:
    killed = control.oom_kills(record.cgroup)
    init = os.pidfd_open(record.pid)
    poller = select.poll()
    poller.register(init, select.POLLIN)
    ended = False
    while not ended:
        ended = bool(poller.poll(interval * 1000))
        if not ended:
            _print_stats(record)
        # Once more after the end, which may have come of it.
        now = control.oom_kills(record.cgroup)
        if now > killed:
            _print(record, "oom", None)
        killed = now
    os.close(init)


def _print_stats(record: Record) -> None:
    _print(record, "stats", statistics_of(record.cgroup))


def _print(record: Record, kind: str, data: object) -> None:
    document = {"type": kind, "id": record.container_id}
    if data is not None:
        document |= {"data": data}  # type: ignore[dict-item]
    print(json.dumps(document, separators=(",", ":")), flush=True)


def _seconds(text: str) -> float:
    for unit, factor in _UNITS.items():
        number = text.removesuffix(unit)
        if number != text and number.replace(".", "", 1).isdecimal() and float(number) > 0:
            return float(number) * factor
    raise InvalidArgumentError(f"--interval: a time such as 5s expected, not {text!r}")
