"""``delete``: remove what is left of a container."""

from boxship.base.errors import ConflictError, NotFoundError
from boxship.runtime.cli.call import Call
from boxship.runtime.cli.ending import remove_container
from boxship.runtime.cli.store import CREATED, STOPPED, Store, UnreadableRecordError


def run(call: Call) -> int:
    """Remove it, after killing it where that was asked for."""
    store = Store(call.root)
    force = call.arguments.switch("force")
    try:
        record = store.load(call.container_id)
    except (NotFoundError, UnreadableRecordError):
        if not force:
            raise
        _remove_remains(store, call.container_id)
        return 0
    status = store.status(record)
    # One that was only created has nothing to lose.
    if status not in (STOPPED, CREATED) and not force:
        raise ConflictError(
            f"cannot delete container {record.container_id} that is not stopped: {status}"
        )
    remove_container(call, store, record)
    return 0


def _remove_remains(store: Store, container_id: str) -> None:
    """Remove a container without a record; its poststop hooks are lost with that."""
    cgroup = store.cgroups_of_remains(container_id)
    if cgroup is None:
        return
    from boxship.runtime.cgroups import control

    control.kill_and_remove(cgroup)
    store.remove(container_id)
