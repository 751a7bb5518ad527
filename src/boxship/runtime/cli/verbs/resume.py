"""``resume``: let a paused container go on."""

from boxship.base.errors import ConflictError
from boxship.runtime.cgroups import control
from boxship.runtime.cli.call import Call
from boxship.runtime.cli.store import PAUSED, Store


def run(call: Call) -> int:
    """Thaw it."""
    store = Store(call.root)
    record = store.load(call.container_id)
    status = store.status(record)
    if status != PAUSED:
        raise ConflictError("container not paused")
    control.resume(record.cgroup)
    return 0
