"""A plan as the shell commands that would do the same, step by step, for a person to read.

What a shell cannot do (descriptors instead of paths, many settings in one call) is said by the
nearest command that shows the idea; comments carry the rest.
"""

import shlex
from collections.abc import Callable, Iterator
from typing import Any

from boxship.kernel import mounts as k
from boxship.runtime import steps
from boxship.runtime.blueprint import CgroupPlan, Placement, Plan, ProcessPlan, directory_of
from boxship.runtime.capabilities import names_of

_ATTRIBUTES = (
    (k.MOUNT_ATTR_RDONLY, "ro"),
    (k.MOUNT_ATTR_NOSUID, "nosuid"),
    (k.MOUNT_ATTR_NODEV, "nodev"),
    (k.MOUNT_ATTR_NOEXEC, "noexec"),
    (k.MOUNT_ATTR_NOATIME, "noatime"),
    (k.MOUNT_ATTR_STRICTATIME, "strictatime"),
    (k.MOUNT_ATTR_NODIRATIME, "nodiratime"),
    (k.MOUNT_ATTR_NOSYMFOLLOW, "nosymfollow"),
)
_STAGING = "mode=755,nosuid,noexec"
_UNSHARE_FLAGS = {"mnt": "mount", "net": "net", "ipc": "ipc", "uts": "uts", "cgroup": "cgroup",
                  "user": "user", "time": "time", "pid": "pid"}  # fmt: skip


def explain(plan: Plan) -> list[str]:
    """Return the lines for a whole plan."""
    lines = [
        f"# container {plan.container_id}",
        "",
        "# by its parent, which forks it into its cgroups:",
    ]
    lines += _cgroup(plan.cgroup)
    lines += ["", "# in the container's first process:"]
    if plan.user is not None:
        lines += _user(plan)
    if plan.join_pid_namespace:
        lines.append(f"nsenter --pid={_quote(plan.join_pid_namespace)}")
    elif plan.new_pid_namespace:
        lines.append("unshare --pid --fork")
    for step in plan.setup:
        lines += explain_step(step)
    return [*lines, "", "# and at last:", *explain_process(plan.process)]


def explain_step(step: steps.Step) -> list[str]:
    """Return the lines for one step."""
    return list(_EXPLAIN[type(step)](step))


def explain_process(process: ProcessPlan) -> list[str]:
    """Return the lines for the last part, from the session to exec."""
    user = process.user or f"{process.uid}:{process.gid}"
    lines = ["setsid --ctty" if process.terminal else "setsid"]
    lines += [f"cd {_quote(process.cwd)}"]
    lines += [
        f"prlimit --pid $$ --{limit.name.removeprefix('RLIMIT_').lower()}={limit.soft}:{limit.hard}"
        for limit in process.rlimits
    ]
    if process.oom_score_adj is not None:
        lines.append(f"echo {process.oom_score_adj} > /proc/self/oom_score_adj")
    lines.append(f"umask {process.umask:04o}")
    if process.placement is not None:
        lines += _placement(process.placement)
    if process.label:
        lines.append(f"echo {_quote(process.label)} > {process.label_file}")
    if process.no_new_privileges:
        lines.append("setpriv --no-new-privs")
    if process.seccomp is not None:
        lines.append(f"# seccomp: a filter of {len(process.seccomp.program) // 8} instructions")
    if process.capabilities is not None:
        names = ",".join(name.lower() for name in names_of(process.capabilities.bounding))
        lines.append(f"capsh --user={_quote(user)} --caps={names or 'none'}")
    else:
        lines.append(f"su {_quote(user)}")
    words = ([process.init] if process.init else []) + list(process.args)
    lines.append(shlex.join(["exec", "env", "-i", *process.env, *words]))
    return lines


def _cgroup(plan: CgroupPlan) -> Iterator[str]:
    for directory in plan.directories:
        yield f"mkdir -p {_quote(directory.path)}"
    if plan.scope is not None:
        yield f"systemd-run --scope --unit={plan.scope.unit} --slice={plan.scope.parent} …"
    if plan.device_program:
        size = len(plan.device_program) // 8
        yield f"# device rules: an eBPF program of {size} instructions on the unified cgroup"
    for write in plan.writes:
        file = f"{directory_of(plan, write.controller)}/{write.file}"
        yield f"echo {_quote(write.value)} > {_quote(file)}"
    for directory in plan.directories:
        yield f"echo $$ > {_quote(directory.path + '/cgroup.procs')}"


def _mount(step: steps.Mount) -> Iterator[str]:
    options = [*_attribute_names(step.attributes), *step.options]
    yield f"mkdir -p .{_quote(step.target)}"
    flag = f" -o {_quote(','.join(options))}" if options else ""
    yield f"mount -t {_quote(step.fstype)}{flag} {_quote(step.source)} .{_quote(step.target)}"
    if step.copy_up:
        yield f"# with what was at {step.target} before copied into it"
    yield from _change_propagation(step.propagation, step.target)


def _bind(step: steps.BindMount) -> Iterator[str]:
    how = "--rbind" if step.recursive else "--bind"
    source = f"/staging/{step.staged}" if step.staged else step.source
    yield f"mount {how} {_quote(source)} .{_quote(step.target)}"
    for bits, negated in ((step.set_attributes, False), (step.clear_attributes, True)):
        names = [_opposite(name) if negated else name for name in _attribute_names(bits)]
        if names:
            yield f"mount -o remount,bind,{','.join(names)} .{_quote(step.target)}"
    recursive = [f"{name}=recursive" for name in _attribute_names(step.recursive_set)]
    if recursive:
        yield f"mount -o remount,bind,{','.join(recursive)} .{_quote(step.target)}"
    yield from _change_propagation(step.propagation, step.target)


def _overlay(step: steps.MountOverlay) -> Iterator[str]:
    options = [f"lowerdir={':'.join(step.lower)}"]
    if step.upper:
        options += [f"upperdir={step.upper}", f"workdir={step.work}"]
    options += (*step.options, *(() if step.devices else ("nodev",)))
    if step.uid_map:
        yield f"# {step.cwd} in what follows is a copy of that mount, which shows other owners"
    yield f"cd {_quote(step.cwd)}"
    yield f"mount -t overlay -o {_quote(','.join(options))} overlay {_quote(step.mountpoint)}"
    yield f"cd {_quote(step.mountpoint)}"


def _bind_root(step: steps.BindRoot) -> Iterator[str]:
    yield f"mount --rbind {_quote(step.source)} {_quote(step.source)}"
    yield f"cd {_quote(step.source)}"


def _cgroup1(step: steps.MountCgroup1) -> Iterator[str]:
    yield f"mount -t tmpfs -o mode=755 tmpfs .{_quote(step.target)}"
    for name, source in step.hierarchies:
        place = _quote(f"{step.target}/{name}")
        yield f"mkdir .{place} && mount --bind {_quote(source)} .{place}"
    for name, content in step.links:
        yield f"ln -s {_quote(content)} .{_quote(f'{step.target}/{name}')}"
    if names := _attribute_names(step.attributes):
        yield f"mount -o remount,bind,{','.join(names)} .{_quote(step.target)}  # and all below"


def _node(step: steps.MakeNode) -> Iterator[str]:
    numbers = f" {step.major} {step.minor}" if step.kind != "p" else ""
    yield f"mknod -m {step.mode:o} .{_quote(step.path)} {step.kind}{numbers}"
    if step.uid or step.gid:
        yield f"chown {step.uid}:{step.gid} .{_quote(step.path)}"


def _console(_: steps.MakeConsole) -> Iterator[str]:
    yield "# open a pty in ./dev/pts, give its master to the parent"
    yield "mount --bind ./dev/pts/N ./dev/console"


def _mask(step: steps.MaskPaths) -> Iterator[str]:
    for path in step.paths:
        place = f".{_quote(path)}"
        yield f"[ -d {place} ] && mount -t tmpfs -o ro x {place} || mount --bind ./dev/null {place}"


def _readonly(step: steps.ReadonlyPaths) -> Iterator[str]:
    for path in step.paths:
        place = f".{_quote(path)}"
        yield f"mount --rbind {place} {place} && mount -o remount,bind,ro {place}"


def _pivot(step: steps.PivotRoot) -> Iterator[str]:
    if step.by_move:
        yield "mount --move . / && chroot . && cd /"
        return
    yield "pivot_root . . && umount -l . && cd /"


def _change_propagation(propagation: str, target: str) -> Iterator[str]:
    if propagation:
        yield f"mount --make-{propagation} .{_quote(target)}"


def _attribute_names(bits: int) -> list[str]:
    return [name for bit, name in _ATTRIBUTES if bits & bit]


def _opposite(name: str) -> str:
    return "rw" if name == "ro" else name.removeprefix("no")


def _quote(text: str) -> str:
    return shlex.quote(text)


def _time(step: steps.NewTimeNamespace) -> Iterator[str]:
    offsets = f" --monotonic {step.monotonic[0]} --boottime {step.boottime[0]}"
    yield f"unshare --time{offsets if any((*step.monotonic, *step.boottime)) else ''}"


def _interfaces(step: steps.MoveInterfaces) -> Iterator[str]:
    for old, new in step.interfaces:
        yield f"ip link set {_quote(old)} netns $$ name {_quote(new)} up  # with its addresses"


def _copy(step: steps.CopyTree) -> Iterator[str]:
    if not step.uid_map:
        yield f"# remember {step.source}, whose mounts stay shared"
    for kind, entries in (("u", step.uid_map), ("g", step.gid_map)):
        for inside, outside, count in entries:
            option = f"X-mount.idmap={kind}:{inside}:{outside}:{count}"
            yield f"mount --bind -o {option} {_quote(step.source)} .{_quote(step.target)}"


def _stage_tree(step: steps.StageTree) -> Iterator[str]:
    how = "--rbind" if step.recursive else "--bind"
    maps = (("u", step.uid_map), ("g", step.gid_map))
    options = [f"X-mount.idmap={kind}:{a}:{b}:{n}" for kind, entries in maps for a, b, n in entries]
    options += [
        *_attribute_names(step.set_attributes),
        *map(_opposite, _attribute_names(step.clear_attributes)),
        *(f"{name}=recursive" for name in _attribute_names(step.recursive_set)),
    ]
    flag = f" -o {_quote(','.join(options))}" if options else ""
    yield f"mount {how}{flag} {_quote(step.source)} /staging/{step.name}"


def _stage_node(step: steps.StageNode) -> Iterator[str]:
    yield f"mknod -m {step.mode:o} /staging/{step.name} {step.kind} {step.major} {step.minor}"
    yield f"chown {step.uid}:{step.gid} /staging/{step.name}"


def _staging(_: steps.MakeStaging) -> Iterator[str]:
    yield "unshare --mount --propagation slave"


def _user(plan: Plan) -> Iterator[str]:
    assert plan.user is not None
    for step in (*plan.before, *plan.staged):
        yield from explain_step(step)
    if plan.user.join:
        yield f"nsenter --user={_quote(plan.user.join)}"
        return
    maps = [
        f"--map-{kind}s={inside}:{outside}:{count}"
        for kind, entries in (("user", plan.user.uid_map), ("group", plan.user.gid_map))
        for inside, outside, count in entries
    ]
    yield " ".join(["unshare --user --setuid 0 --setgid 0", *maps])


def _placement(placement: Placement) -> Iterator[str]:
    if placement.final_cpus or placement.initial_cpus:
        cpus = ",".join(map(str, placement.final_cpus or placement.initial_cpus))
        yield f"taskset --pid --cpu-list {cpus} $$"
    if placement.io_priority >= 0:
        kind, priority = divmod(placement.io_priority, 1 << 13)
        yield f"ionice --class {kind} --classdata {priority} --pid $$"
    if placement.scheduler is not None:
        yield f"chrt --pid {placement.scheduler.priority} $$  # policy {placement.scheduler.policy}"
    if placement.personality > 0:
        yield "setarch linux32"
    if placement.memory_mode >= 0:
        yield f"# memory policy {placement.memory_mode}, nodes {placement.memory_nodes}"


def _unshare(step: steps.Unshare) -> Iterator[str]:
    if step.kinds:
        yield "unshare " + " ".join(f"--{_UNSHARE_FLAGS[kind]}" for kind in step.kinds)


def _one(form: Callable[[Any], str]) -> Callable[[Any], Iterator[str]]:
    """Explain a step by a single line."""
    return lambda step: iter((form(step),))


_EXPLAIN: dict[type[steps.Step], Callable[[Any], Iterator[str]]] = {
    steps.Unshare: _unshare,
    steps.JoinNamespace: _one(
        lambda step: f"nsenter --{_UNSHARE_FLAGS[step.kind]}={_quote(step.source)}"
    ),
    steps.LoopbackUp: _one(lambda _: "ip link set lo up"),
    steps.SetHostname: _one(lambda step: f"hostname {_quote(step.name)}"),
    steps.SetDomainname: _one(lambda step: f"domainname {_quote(step.name)}"),
    steps.SetPropagation: _one(lambda step: f"mount --make-{step.propagation} /"),
    steps.CopyTree: _copy,
    steps.MakeStaging: _staging,
    steps.EnterStaging: _one(lambda _: f"mount -t tmpfs -o {_STAGING} staging /staging"),
    steps.StageTree: _stage_tree,
    steps.StageNode: _stage_node,
    steps.NewTimeNamespace: _time,
    steps.HoldHostNetwork: _one(lambda _: "# keep a way back to the network we come from"),
    steps.MoveInterfaces: _interfaces,
    steps.MountOverlay: _overlay,
    steps.BindRoot: _bind_root,
    steps.Mount: _mount,
    steps.BindMount: _bind,
    steps.MakeNode: _node,
    steps.MakeLink: _one(lambda step: f"ln -s {_quote(step.content)} .{_quote(step.path)}"),
    steps.MakeConsole: _console,
    steps.MountCgroup1: _cgroup1,
    steps.WriteSysctl: _one(lambda step: f"sysctl -w {_quote(f'{step.key}={step.value}')}"),
    steps.MaskPaths: _mask,
    steps.ReadonlyPaths: _readonly,
    steps.MakeDirectory: _one(lambda step: f"mkdir -p -m {step.mode:o} .{_quote(step.path)}"),
    steps.ReadonlyRoot: _one(lambda _: "mount -o remount,bind,ro ."),
    steps.PivotRoot: _pivot,
}
