"""``list``: list containers."""

import json
from typing import Any

from boxship.base.errors import InvalidArgumentError, NotFoundError
from boxship.runtime.cli.call import Call
from boxship.runtime.cli.store import Store, UnreadableRecordError
from boxship.runtime.cli.view import state_of

_COLUMNS = ("id", "pid", "status", "bundle", "created", "owner")


def run(call: Call) -> int:
    """Print a table, JSON, or ids alone."""
    store = Store(call.root)
    if call.arguments.switch("quiet"):
        for name in store.ids():
            print(name)
        return 0
    states = []
    for name in store.ids():
        try:
            states.append(state_of(store, store.load(name)) | {"owner": store.owner(name)})
        except NotFoundError:  # deleted just now
            continue
        except UnreadableRecordError as error:
            call.warn(str(error))
    match call.arguments.text("format"):
        case "json":
            print(json.dumps(states, separators=(",", ":")))
        case "table":
            _print_table(states)
        case _:
            raise InvalidArgumentError("--format: table or json expected")
    return 0


def _print_table(states: list[dict[str, Any]]) -> None:
    rows = [tuple(name.upper() for name in _COLUMNS)]
    rows += [tuple(str(state[name]) for name in _COLUMNS) for state in states]
    widths = [max(12, *(len(row[n]) + 3 for row in rows)) for n in range(len(_COLUMNS) - 1)]
    for row in rows:
        print("".join(f"{cell:<{width}}" for cell, width in zip(row, [*widths, 0], strict=True)))
