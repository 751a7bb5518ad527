"""The steps a container may take, as one table.

::

                    start                 pause
        CREATED ───────────►  RUNNING  ◄─────────►  PAUSED
           │                   │   ▲                  │
           │ start refused     │   │ start            │ its processes were killed
           ▼           exit    ▼   │                  ▼
         EXITED ◄──────────────┴───┴── RESTARTING ◄── (exit, and the policy starts it again)
           │
           ▼ remove
        REMOVING ──► no record          (DEAD: the effects of remove failed; remove again)

A daemon that comes up takes EXITED ──► RESTARTING with those that a policy wants. One that removes
itself at its end goes from EXITED to no record, or to DEAD.

Every change of a state goes through :func:`check`, and is taken by the container's owner alone: by
the task that holds its lock (``live.py``).
"""

import msgspec

from boxship.base.errors import InternalError
from boxship.engine.containers.health.state import not_probed
from boxship.engine.containers.record import ContainerRecord, ContainerState, Status

_S = Status
ALLOWED: dict[Status, frozenset[Status]] = {
    _S.CREATED: frozenset({_S.CREATED, _S.RUNNING, _S.EXITED, _S.REMOVING}),
    _S.RUNNING: frozenset({_S.RUNNING, _S.PAUSED, _S.EXITED, _S.RESTARTING}),
    _S.PAUSED: frozenset({_S.RUNNING, _S.EXITED, _S.RESTARTING}),
    _S.RESTARTING: frozenset({_S.RUNNING, _S.EXITED, _S.RESTARTING}),
    _S.EXITED: frozenset({_S.EXITED, _S.RUNNING, _S.RESTARTING, _S.REMOVING, _S.DEAD}),
    _S.REMOVING: frozenset({_S.REMOVING, _S.DEAD}),
    _S.DEAD: frozenset({_S.REMOVING, _S.DEAD}),
}


def step(record: ContainerRecord, state: ContainerState) -> ContainerRecord:
    """Return the record in its next state. InternalError: there is no such step."""
    check(record, state.status)
    return record.with_state(state)


def check(record: ContainerRecord, status: Status) -> None:
    """Raise InternalError if no step leads there."""
    if status not in ALLOWED[record.status]:
        raise InternalError(
            f"container {record.id}: no step leads from {record.status} to {status}"
        )


def started(state: ContainerState, pid: int, started_ns: int, boot_id: str = "") -> ContainerState:
    """It runs: what remained of the run before is forgotten, but not how often it has failed."""
    return ContainerState(
        status=Status.RUNNING,
        pid=pid,
        started_ns=started_ns,
        boot_id=boot_id,
        finished_ns=state.finished_ns,
        restart_count=state.restart_count,
        pause=state.pause,
        health=state.health,
    )


def refused(state: ContainerState, exit_code: int, error: str) -> ContainerState:
    """The command could not be executed. A container that never ran stays ``created``."""
    status = Status.CREATED if state.status is Status.CREATED else Status.EXITED
    return msgspec.structs.replace(state, status=status, pid=0, exit_code=exit_code, error=error)


def ended(
    state: ContainerState,
    *,
    exit_code: int,
    finished_ns: int,
    oom_killed: bool = False,
    error: str = "",
    restart_after: float | None = None,
) -> ContainerState:
    """Its first process has ended, and with it all others.

    ``restart_after`` so many seconds its policy starts it again; None: it does not.
    """
    return msgspec.structs.replace(
        state,
        status=Status.EXITED if restart_after is None else Status.RESTARTING,
        pause=restart_after or 0.0,
        pid=0,
        held=False,
        exit_code=exit_code,
        finished_ns=finished_ns,
        oom_killed=oom_killed,
        error=error,
        health=not_probed(state.health),
    )


def with_status(state: ContainerState, status: Status) -> ContainerState:
    """Change nothing but the status: pause, unpause, removing, dead, a restart given up.

    Whoever held it for reading has no say in the new one.
    """
    health = not_probed(state.health) if status is Status.PAUSED else state.health
    return msgspec.structs.replace(state, status=status, held=False, health=health)


def removing(state: ContainerState, *, volumes: bool) -> ContainerState:
    """It is about to go, with ``volumes`` those as well that have no name."""
    return msgspec.structs.replace(with_status(state, Status.REMOVING), volumes_too=volumes)


def held(state: ContainerState, status: Status) -> ContainerState:
    """It is paused by the daemon itself (PAUSED), or is about to be (RUNNING)."""
    return msgspec.structs.replace(state, status=status, held=True)


def counted(state: ContainerState, *, by_policy: bool) -> ContainerState:
    """It is about to be started: once more by its policy, or anew, which begins the count again."""
    count = state.restart_count + 1 if by_policy else 0
    return msgspec.structs.replace(
        state, restart_count=count, pause=state.pause if by_policy else 0.0
    )


def stopped_by_user(state: ContainerState) -> ContainerState:
    """Note that a person ended it."""
    return msgspec.structs.replace(state, stopped_by_user=True)
