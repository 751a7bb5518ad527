"""``start``: let a created container's process begin."""

import os

from boxship.base.errors import BoxshipError, ConflictError
from boxship.base.suppress import suppress
from boxship.runtime.cli.call import Call
from boxship.runtime.cli.ending import remove_container, run_poststart
from boxship.runtime.cli.fifo import open_gate
from boxship.runtime.cli.store import CREATED, OUTCOME_FIFO, PAUSED, RUNNING, STOPPED, Store

_WHY_NOT = {
    STOPPED: "cannot start a container that has stopped",
    RUNNING: "cannot start an already running container",
    PAUSED: "cannot start a container in the paused state",
}


def run(call: Call) -> int:
    """Open the gate, then run the poststart hooks."""
    store = Store(call.root)
    record = store.load(call.container_id)
    status = store.status(record)
    if status != CREATED:
        raise ConflictError(_WHY_NOT[status])
    directory = store.directory(call.container_id)
    failure = open_gate(directory)
    with suppress(FileNotFoundError):
        os.unlink(f"{directory}/{OUTCOME_FIFO}")
    if failure:
        if "hook #" in failure:
            remove_container(call, store, record)
        raise BoxshipError(f"unable to start container process: {failure}")
    run_poststart(call, store, record)
    return 0
