"""``state``: print a container's state as JSON."""

from boxship.base import jsontext
from boxship.runtime.cli.call import Call
from boxship.runtime.cli.store import Store
from boxship.runtime.cli.view import state_of


def run(call: Call) -> int:
    """Print what the specification calls the state, and what runc adds to it."""
    store = Store(call.root)
    print(jsontext.pretty(state_of(store, store.load(call.container_id))))
    return 0
