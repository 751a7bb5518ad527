"""Each step of a set-up as shell commands, run in the directory that becomes the root.

The rest of the script, and what it is for, is in ``explain.py``.
"""

import shlex
from collections.abc import Callable, Iterator
from typing import Any

from boxship.kernel import mounts as k
from boxship.runtime import steps

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
NAMESPACE_FLAGS = {"mnt": "mount", "net": "net", "ipc": "ipc", "uts": "uts", "cgroup": "cgroup",
                  "user": "user", "time": "time", "pid": "pid"}  # fmt: skip


def explain_step(step: steps.Step) -> list[str]:
    """Return the lines for one step."""
    return list(_EXPLAIN[type(step)](step))


def _mount(step: steps.Mount) -> Iterator[str]:
    options = [*_attribute_names(step.attributes), *step.options]
    yield f"mkdir -p .{quote(step.target)}"
    flag = f" -o {quote(','.join(options))}" if options else ""
    yield f"mount -t {quote(step.fstype)}{flag} {quote(step.source)} .{quote(step.target)}"
    if step.copy_up:
        yield f"# with what was at {step.target} before copied into it"
    yield from _change_propagation(step.propagation, step.target)


def _bind(step: steps.BindMount) -> Iterator[str]:
    how = "--rbind" if step.recursive else "--bind"
    source = quote(f"/staging/{step.staged}" if step.staged else step.source)
    target = quote(step.target)
    yield f"if [ -d {source} ]; then mkdir -p .{target}; else touch .{target}; fi"
    yield f"mount {how} {source} .{target}"
    for bits, negated in ((step.set_attributes, False), (step.clear_attributes, True)):
        names = [_opposite(name) if negated else name for name in _attribute_names(bits)]
        if names:
            yield f"mount -o remount,bind,{','.join(names)} .{quote(step.target)}"
    if recursive := ",".join(_attribute_names(step.recursive_set)):
        below = "" if not step.recursive else "  # and the mounts below, as by ro=recursive"
        yield f"mount -o remount,bind,{recursive} .{target}{below}"
    yield from _change_propagation(step.propagation, step.target)


def _overlay(step: steps.MountOverlay) -> Iterator[str]:
    options = [f"lowerdir={':'.join(step.lower)}"]
    if step.upper:
        options += [f"upperdir={step.upper}", f"workdir={step.work}"]
    options += (*step.options, *(() if step.devices else ("nodev",)))
    if step.uid_map:
        yield f"# {step.cwd} in what follows is a copy of that mount, which shows other owners"
    yield f"cd {quote(step.cwd)}"
    yield f"mount -t overlay -o {quote(','.join(options))} overlay {quote(step.mountpoint)}"
    yield f"cd {quote(step.mountpoint)}"


def _directory_root(step: steps.MountDirectory) -> Iterator[str]:
    if step.uid_map:
        yield f"# {step.source} is seen with other owners"
    yield f"mount --bind {quote(step.source)} {quote(step.mountpoint)}"
    if not step.devices:
        yield f"mount -o remount,bind,nodev {quote(step.mountpoint)}"
    yield f"cd {quote(step.mountpoint)}"


def _bind_root(step: steps.BindRoot) -> Iterator[str]:
    yield f"mount --rbind {quote(step.source)} {quote(step.source)}"
    yield f"cd {quote(step.source)}"


def _cgroup1(step: steps.MountCgroup1) -> Iterator[str]:
    target = quote(step.target)
    names = ",".join(_attribute_names(step.attributes))
    yield f"mkdir -p .{target}"
    yield f"mount -t tmpfs -o mode=755 tmpfs .{target}"
    for name, source in step.hierarchies:
        place = quote(f"{step.target}/{name}")
        yield f"mkdir .{place}"
        yield f"mount --bind {quote(source)} .{place}"
        if names:
            yield f"mount -o remount,bind,{names} .{place}"
    for name, content in step.links:
        yield f"ln -s {quote(content)} .{quote(f'{step.target}/{name}')}"
    if names:
        yield f"mount -o remount,bind,{names} .{target}"


def _node(step: steps.MakeNode) -> Iterator[str]:
    numbers = f" {step.major} {step.minor}" if step.kind != "p" else ""
    yield f"mknod -m {step.mode:o} .{quote(step.path)} {step.kind}{numbers}"
    if step.uid or step.gid:
        yield f"chown {step.uid}:{step.gid} .{quote(step.path)}"


def _link(step: steps.MakeLink) -> Iterator[str]:
    place = f".{quote(step.path)}"
    yield f"[ -L {place} ] || ln -s {quote(step.content)} {place}"


def _console(_: steps.MakeConsole) -> Iterator[str]:
    yield "# its terminal is a pty of its own, opened in ./dev/pts; here it is the one we are on"
    yield 'if tty -s; then touch ./dev/console; mount --bind "$(tty)" ./dev/console; fi'


def _mask(step: steps.MaskPaths) -> Iterator[str]:
    yield f"for p in {_places(step.paths)}; do  # hidden"
    yield '    if [ -d "$p" ]; then mount -t tmpfs -o ro tmpfs "$p"'
    yield '    elif [ -e "$p" ]; then mount --bind ./dev/null "$p"; fi'
    yield "done"


def _readonly(step: steps.ReadonlyPaths) -> Iterator[str]:
    yield f"for p in {_places(step.paths)}; do  # read-only"
    yield '    if [ -e "$p" ]; then mount --rbind "$p" "$p"; mount -o remount,bind,ro "$p"; fi'
    yield "done"


def _places(paths: tuple[str, ...]) -> str:
    return " ".join(f".{quote(path)}" for path in paths)


def _pivot(step: steps.PivotRoot) -> Iterator[str]:
    if not step.by_move:
        yield "# pivot_root . . && umount -l . && cd /"
        yield "# A shell would have no tools left then but the container's. Therefore it moves the"
        yield "# root over the host's, which the last command leaves behind with its chroot:"
    yield "mount --move . /"


def _change_propagation(propagation: str, target: str) -> Iterator[str]:
    if propagation:
        yield f"mount --make-{propagation} .{quote(target)}"


def _attribute_names(bits: int) -> list[str]:
    return [name for bit, name in _ATTRIBUTES if bits & bit]


def _opposite(name: str) -> str:
    return "rw" if name == "ro" else name.removeprefix("no")


def quote(text: str) -> str:
    """Write a word as a shell reads it."""
    return shlex.quote(text)


def _time(step: steps.NewTimeNamespace) -> Iterator[str]:
    offsets = f" --monotonic {step.monotonic[0]} --boottime {step.boottime[0]}"
    yield f"unshare --time{offsets if any((*step.monotonic, *step.boottime)) else ''}"


def _interfaces(step: steps.MoveInterfaces) -> Iterator[str]:
    for old, new in step.interfaces:
        yield f"# from outside: ip link set {quote(old)} netns $$ name {quote(new)} up"


def _copy(step: steps.CopyTree) -> Iterator[str]:
    if not step.uid_map:
        yield f"# remember {step.source}, whose mounts stay shared"
    for kind, entries in (("u", step.uid_map), ("g", step.gid_map)):
        for inside, outside, count in entries:
            option = f"X-mount.idmap={kind}:{inside}:{outside}:{count}"
            yield f"mount --bind -o {option} {quote(step.source)} .{quote(step.target)}"


def _stage_tree(step: steps.StageTree) -> Iterator[str]:
    how = "--rbind" if step.recursive else "--bind"
    maps = (("u", step.uid_map), ("g", step.gid_map))
    options = [f"X-mount.idmap={kind}:{a}:{b}:{n}" for kind, entries in maps for a, b, n in entries]
    options += [
        *_attribute_names(step.set_attributes),
        *map(_opposite, _attribute_names(step.clear_attributes)),
        *(f"{name}=recursive" for name in _attribute_names(step.recursive_set)),
    ]
    flag = f" -o {quote(','.join(options))}" if options else ""
    yield f"mount {how}{flag} {quote(step.source)} /staging/{step.name}"


def _stage_node(step: steps.StageNode) -> Iterator[str]:
    yield f"mknod -m {step.mode:o} /staging/{step.name} {step.kind} {step.major} {step.minor}"
    yield f"chown {step.uid}:{step.gid} /staging/{step.name}"


def _unshare(step: steps.Unshare) -> Iterator[str]:
    if step.kinds:
        yield "unshare " + " ".join(f"--{NAMESPACE_FLAGS[kind]}" for kind in step.kinds)


def _one(form: Callable[[Any], str]) -> Callable[[Any], Iterator[str]]:
    """Explain a step by a single line."""
    return lambda step: iter((form(step),))


_EXPLAIN: dict[type[steps.Step], Callable[[Any], Iterator[str]]] = {
    steps.Unshare: _unshare,
    steps.JoinNamespace: _one(
        lambda step: f"nsenter --{NAMESPACE_FLAGS[step.kind]}={quote(step.source)}"
    ),
    steps.LoopbackUp: _one(lambda _: "ip link set lo up"),
    steps.SetHostname: _one(lambda step: f"hostname {quote(step.name)}"),
    steps.SetDomainname: _one(lambda step: f"domainname {quote(step.name)}"),
    steps.SetPropagation: _one(lambda step: f"mount --make-{step.propagation} /"),
    steps.CopyTree: _copy,
    steps.MakeStaging: _one(lambda _: "# unshare --mount --propagation slave"),
    steps.EnterStaging: _one(lambda _: f"mount -t tmpfs -o {_STAGING} staging /staging"),
    steps.StageTree: _stage_tree,
    steps.StageNode: _stage_node,
    steps.NewTimeNamespace: _time,
    steps.HoldHostNetwork: _one(lambda _: "# keep a way back to the network we come from"),
    steps.MoveInterfaces: _interfaces,
    steps.MountOverlay: _overlay,
    steps.MountDirectory: _directory_root,
    steps.BindRoot: _bind_root,
    steps.Mount: _mount,
    steps.BindMount: _bind,
    steps.MakeNode: _node,
    steps.MakeLink: _link,
    steps.MakeConsole: _console,
    steps.MountCgroup1: _cgroup1,
    steps.WriteSysctl: _one(lambda step: f"sysctl -q -w {quote(f'{step.key}={step.value}')}"),
    steps.MaskPaths: _mask,
    steps.ReadonlyPaths: _readonly,
    steps.MakeDirectory: _one(lambda step: f"mkdir -p -m {step.mode:o} .{quote(step.path)}"),
    steps.ReadonlyRoot: _one(lambda _: "mount -o remount,bind,ro ."),
    steps.PivotRoot: _pivot,
}
