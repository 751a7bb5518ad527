"""List a container's processes with the host's ``ps``, as Docker does.

``ps`` is asked for all processes and its answer filtered by pid: options may say anything but
which processes are meant.
"""

import asyncio
import re
import shlex

from boxship.base.errors import (
    ConflictError,
    InternalError,
    InvalidArgumentError,
    UnavailableError,
)
from boxship.engine.containers.context import Context
from boxship.engine.containers.live import Container
from boxship.engine.containers.record import Status
from boxship.engine.containers.requests import TopTable

_PID_NOT_SHOWN = re.compile(r"\s+-?o?[^\s]*pid\s*=", re.IGNORECASE)
_PATIENCE = 10.0


async def top(context: Context, container: Container, ps_args: str) -> TopTable:
    """Return the table. InvalidArgumentError: options that leave the pids out."""
    state = container.record.state
    if state.status is Status.RESTARTING:
        raise ConflictError(
            f"Container {container.id} is restarting, wait until the container is running"
        )
    if not state.alive:
        raise ConflictError(f"container {container.id} is not running")
    arguments = _arguments(ps_args or "-ef")
    pids = frozenset(context.planner.pids(container.record))
    table = select(await _ps(arguments), pids)
    context.announcer.say(container.record, "top")
    return table


def _arguments(text: str) -> list[str]:
    if _PID_NOT_SHOWN.search(f" {text}"):
        raise InvalidArgumentError('specifying "pid" with an equal sign is not supported')
    try:
        return shlex.split(text)
    except ValueError as error:
        raise InvalidArgumentError(f"ps arguments: {error}") from None


async def _ps(arguments: list[str]) -> str:
    try:
        process = await asyncio.create_subprocess_exec(
            "ps",
            *arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
    except OSError as error:
        raise UnavailableError(f"ps cannot be run on this host: {error.strerror}") from error
    try:
        output, complaint = await asyncio.wait_for(process.communicate(), _PATIENCE)
    except TimeoutError:
        process.kill()
        await process.wait()
        raise UnavailableError("ps did not answer") from None
    if process.returncode:
        lines = complaint.decode(errors="replace").strip().splitlines()
        raise InvalidArgumentError(f"ps: {lines[0] if lines else 'failed'}")
    return output.decode(errors="replace")


def select(output: str, pids: frozenset[int]) -> TopTable:
    """Keep the rows of the processes meant; the last column may contain spaces."""
    lines = output.splitlines()
    titles = lines[0].split() if lines else []
    if "PID" not in titles:
        raise InternalError("Couldn't find PID field in ps output")
    column = titles.index("PID")
    rows = []
    preceding = False
    for line in lines[1:]:
        fields = line.split(None, len(titles) - 1)
        if len(fields) <= column:
            continue
        if fields[column] == "-":  # a thread's row, which goes with the process above it
            wanted = preceding
        else:
            wanted = fields[column].isdigit() and int(fields[column]) in pids
        preceding = wanted
        if wanted:
            rows.append(tuple(fields))
    return TopTable(tuple(titles), tuple(rows))
