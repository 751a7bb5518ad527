"""``pause``: stop every process of a container where it is."""

from boxship.base.errors import ConflictError
from boxship.runtime.cgroups import control
from boxship.runtime.cli.call import Call
from boxship.runtime.cli.store import CREATED, RUNNING, Store


def run(call: Call) -> int:
    """Return when all have stopped."""
    store = Store(call.root)
    record = store.load(call.container_id)
    status = store.status(record)
    if status not in (RUNNING, CREATED):
        raise ConflictError("container not running")
    control.pause(record.cgroup)
    return 0
