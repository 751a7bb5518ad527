"""``ps``: list a container's processes."""

import json
import subprocess

from boxship.base.errors import BoxshipError, InvalidArgumentError
from boxship.runtime.cgroups import control
from boxship.runtime.cli.call import Call
from boxship.runtime.cli.store import Store


def run(call: Call) -> int:
    """Print pids as JSON, or the rows of the host's ``ps`` that are the container's."""
    record = Store(call.root).load(call.container_id)
    pids = control.processes(record.cgroup)
    match call.arguments.text("format"):
        case "json":
            print(json.dumps(pids))
        case "table":
            print(_table(pids, call.arguments.operands[1:] or ["-ef"]))
        case _:
            raise InvalidArgumentError("--format: table or json expected")
    return 0


def _table(pids: tuple[int, ...], options: list[str]) -> str:
    found = subprocess.run(["ps", *options], capture_output=True, text=True, check=False)
    if found.returncode:
        raise BoxshipError(f"ps: {found.stderr.strip()}")
    head, *rows = found.stdout.splitlines()
    if "PID" not in head.split():
        raise InvalidArgumentError("ps: a PID column is needed")
    column = head.split().index("PID")
    kept = [row for row in rows if int(row.split(None, column + 1)[column]) in pids]
    return "\n".join([head, *kept])
