"""``delete``: remove what is left of a container."""

from boxship.base.errors import ConflictError, NotFoundError
from boxship.runtime.cli.call import Call
from boxship.runtime.cli.ending import remove_container
from boxship.runtime.cli.store import CREATED, STOPPED, Store


def run(call: Call) -> int:
    """Remove it, after killing it where that was asked for."""
    store = Store(call.root)
    force = call.arguments.switch("force")
    try:
        record = store.load(call.container_id)
    except NotFoundError:
        if not force:
            raise
        return 0
    status = store.status(record)
    # One that was only created has nothing to lose.
    if status not in (STOPPED, CREATED) and not force:
        raise ConflictError(
            f"cannot delete container {record.container_id} that is not stopped: {status}"
        )
    remove_container(call, store, record)
    return 0
