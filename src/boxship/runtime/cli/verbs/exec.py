"""``exec``: run one more process in a container."""

import os

from boxship.base import jsontext
from boxship.base.errors import ConflictError, InvalidArgumentError
from boxship.base.frozen import replace
from boxship.oci.runtime import Process
from boxship.runtime.birth import START, Manner
from boxship.runtime.blueprint import CapabilityPlan, CgroupPlan, ProcessPlan
from boxship.runtime.cli.call import Call
from boxship.runtime.cli.creation import (
    announce,
    check_terminal,
    explained,
    preserved_descriptors,
)
from boxship.runtime.cli.store import PAUSED, STOPPED, Record, Store, open_init
from boxship.runtime.cli.waiting import forward_signals, wait
from boxship.runtime.process import Spawned, StepFailedError, spawn_exec

_GREATEST_ID = 2**32 - 2


def run(call: Call) -> int:
    """Return the process's exit status, 0 when detached."""
    store = Store(call.root)
    record = store.load(call.container_id)
    _check_status(call, store.status(record))
    process = _process(call, record)
    detached = call.arguments.switch("detach")
    check_terminal(call, terminal=process.terminal, detached=detached)
    manner = Manner(bound=False, asks=frozenset((START,)), preserved=preserved_descriptors(call))

    def begin(spawned: Spawned) -> None:
        announce(call, spawned)
        if not detached:
            forward_signals(spawned)

    init = open_init(record)
    cgroup = _cgroup(call, record.cgroup)
    try:
        spawned = spawn_exec(init, process, cgroup, 0, 1, 2, manner=manner, answers={START: begin})
    except StepFailedError as error:
        raise explained(error) from error
    finally:
        os.close(init)
    return 0 if detached else wait(spawned)


def _check_status(call: Call, status: str) -> None:
    if status == STOPPED:
        raise ConflictError("cannot exec in a stopped container")
    if status == PAUSED and not call.arguments.switch("ignore-paused"):
        raise ConflictError("cannot exec in a paused container (use --ignore-paused to override)")


def _process(call: Call, record: Record) -> ProcessPlan:
    if path := call.arguments.text("process"):
        process = _from_file(path, record)
    else:
        args = tuple(call.arguments.operands[1:])
        if not args:
            raise InvalidArgumentError("exec: a command or --process is needed")
        # Who asks for a directory that is not there has mistyped it; only `create` makes it.
        process = replace(record.process, args=args, terminal=False, create_cwd=False)
    return _changed_by_flags(call, process)


def _from_file(path: str, record: Record) -> ProcessPlan:
    """Plan a process of its own; what it leaves open is as for the container's first."""
    from boxship.runtime.host import Host
    from boxship.runtime.plan import plan_process

    with open(path, "rb") as stream:
        text = stream.read()
    try:
        wanted = Process.from_json(jsontext.loads(text))
    except ValueError as error:
        raise InvalidArgumentError(f"{path}: {error}") from None
    made = plan_process(wanted, Host.look(), None, record.container_id)
    first = record.process
    return replace(
        made,
        capabilities=made.capabilities if wanted.capabilities else first.capabilities,
        rlimits=made.rlimits or first.rlimits,
        seccomp=first.seccomp,
        keyring=first.keyring,
    )


def _changed_by_flags(call: Call, process: ProcessPlan) -> ProcessPlan:
    arguments = call.arguments
    if arguments.switch("tty"):
        process = replace(process, terminal=True)
    if cwd := arguments.text("cwd"):
        if not cwd.startswith("/"):
            raise InvalidArgumentError(f"--cwd: {cwd!r} is not an absolute path")
        process = replace(process, cwd=cwd)
    if env := arguments.texts("env"):
        if wrong := next((item for item in env if item.find("=") < 1), ""):
            raise InvalidArgumentError(f"--env: {wrong!r} is not NAME=VALUE")
        merged = {item.partition("=")[0]: item for item in (*process.env, *env)}
        process = replace(process, env=tuple(merged.values()))
    if user := arguments.text("user"):
        uid, _, gid = user.partition(":")
        process = replace(process, uid=_id(uid), gid=_id(gid or "0"))
    if groups := arguments.texts("additional-gids"):
        process = replace(process, groups=(*process.groups, *map(_id, groups)))
    if names := arguments.texts("cap"):
        process = replace(process, capabilities=_with(call, process.capabilities, names))
    if arguments.switch("no-new-privs"):
        process = replace(process, no_new_privileges=True)
    return _labelled(call, process)


def _labelled(call: Call, process: ProcessPlan) -> ProcessPlan:
    profile, label = call.arguments.text("apparmor"), call.arguments.text("process-label")
    if not profile and not label:
        return process
    from boxship.runtime.host import Host
    from boxship.runtime.plan import plan_process

    # The container's own process has been planned; this one is for the labels' sake.
    wanted = Process(args=process.args, cwd="/", apparmor_profile=profile, selinux_label=label)
    made = plan_process(wanted, Host.look(), None, call.container_id)
    return replace(process, label_file=made.label_file, label=made.label)


def _id(text: str) -> int:
    # 2**32 - 1 would tell the kernel to change nothing, and root would stay root.
    if not text.isdecimal() or len(text) > 10 or int(text) > _GREATEST_ID:
        raise InvalidArgumentError(
            f"--user, --additional-gids: numbers up to {_GREATEST_ID} expected, not {text!r}"
        )
    return int(text)


def _with(call: Call, plan: CapabilityPlan | None, names: tuple[str, ...]) -> CapabilityPlan:
    from boxship.runtime.capabilities import mask_of, unknown_names

    for name in unknown_names(names):
        call.warn(f"--cap: {name} is unknown and left out")
    more = mask_of(names)
    old = plan or CapabilityPlan()
    ambient = old.ambient | (more & old.inheritable)
    return replace(
        old,
        bounding=old.bounding | more,
        effective=old.effective | more,
        permitted=old.permitted | more,
        ambient=ambient,
    )


def _cgroup(call: Call, cgroup: CgroupPlan) -> CgroupPlan:
    """Go below the container's own cgroup where ``--cgroup`` says so."""
    for text in call.arguments.texts("cgroup"):
        names, colon, path = text.rpartition(":")
        controllers = set(names.split(",")) if colon else set()
        if ".." in path.split("/"):
            raise InvalidArgumentError(f"--cgroup: {path!r} is not below the container's")
        known = {name for one in cgroup.directories for name in one.controllers}
        if unknown := sorted(controllers - known):
            raise InvalidArgumentError(f"--cgroup: the container has no controller {unknown[0]!r}")
        directories = tuple(
            replace(one, path=os.path.normpath(f"{one.path}/{path}"))
            if not controllers or controllers & set(one.controllers)
            else one
            for one in cgroup.directories
        )
        cgroup = replace(cgroup, directories=directories)
    return cgroup
