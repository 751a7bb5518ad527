"""Hooks of a container that a shim starts, such as the edits for a device bring along.

Loaded only for a plan that has some. What they do and when is told in ``runtime/hooks.py``.
"""

import os
import signal
from contextlib import suppress

from boxship.base import jsontext
from boxship.oci.runtime import Hook, Hooks, Spec
from boxship.runtime import birth, hooks, process
from boxship.runtime.blueprint import HookPlan, Plan

Descriptors = tuple[int, int, int]


def spawn_init(plan: Plan, streams: Descriptors, *, terminal: bool) -> process.Spawned:
    """Create the container with its hooks run. Raise StepFailedError: one of them fails, too."""
    assert plan.hooks is not None
    wanted, state = _read(plan.hooks), _state(plan)

    def prepare(spawned: process.Spawned) -> None:
        told = state.at(hooks.CREATING, spawned.pid)
        _run("prestart", wanted.prestart, told)
        _run("createRuntime", wanted.create_runtime, told)

    manner = birth.Manner(
        asks=frozenset({birth.HOOKS}),
        create_container=wanted.create_container,
        start_container=wanted.start_container,
        hook_state=state,
    )
    spawned = process.spawn_init(
        plan,
        *streams,
        terminal=terminal,
        sibling=True,
        manner=manner,
        answers={birth.HOOKS: prepare},
    )
    try:
        _run("poststart", wanted.poststart, state.at(hooks.RUNNING, spawned.pid))
    except process.StepFailedError:
        signal.pidfd_send_signal(spawned.pidfd, signal.SIGKILL)
        for fd in (spawned.pidfd, spawned.master):
            if fd >= 0:
                os.close(fd)
        process.destroy(plan)
        raise
    return spawned


def stopped(plan: Plan) -> None:
    """Run the hooks for after the end; nobody is left who could be told of their failure."""
    assert plan.hooks is not None
    with suppress(process.StepFailedError):
        _run("poststop", _read(plan.hooks).poststop, _state(plan).at(hooks.STOPPED, 0))


def _run(kind: str, wanted: tuple[Hook, ...], state: bytes) -> None:
    try:
        hooks.run(kind, wanted, state)
    except hooks.HookError as error:
        raise process.StepFailedError("hook", 0, str(error)) from None


def _read(plan: HookPlan) -> Hooks:
    document = {"ociVersion": plan.oci_version, "hooks": jsontext.loads(plan.hooks)}
    return Spec.from_json(document).hooks


def _state(plan: Plan) -> hooks.HookState:
    about = plan.hooks
    assert about is not None
    return hooks.HookState(about.oci_version, plan.container_id, about.bundle, about.annotations)
