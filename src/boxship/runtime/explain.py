"""A plan as a shell script that does the same, step by step, for a person to read.

It runs, too: ``boxship-runtime explain BUNDLE > script && bash script``, as root on the machine it
was made for. What no shell command can do (a seccomp filter, a program for devices, descriptors in
the place of paths) is said in a comment. The script is one shell that joins the cgroups and
becomes, by ``unshare``, a second one, the container's first process; that reads the rest from a
here-document, so that standard input stays the container's.
"""

import shlex
from collections.abc import Iterator

from boxship.runtime import steps
from boxship.runtime.blueprint import (
    CapabilityPlan,
    CgroupDirectory,
    CgroupPlan,
    Placement,
    Plan,
    ProcessPlan,
    UserPlan,
    directory_of,
)
from boxship.runtime.capabilities import names_of
from boxship.runtime.explain_steps import NAMESPACE_FLAGS, explain_step, quote

_ROOT_SHELL = "/bin/sh"


def explain(plan: Plan) -> list[str]:
    """Return the lines of the script."""
    inside = [*_setup(plan), "", "# the process", *explain_process(plan.process)]
    end = _delimiter(inside)
    return [
        "#!/bin/bash",
        f"# container {plan.container_id}",
        "set -e",
        "",
        "# cgroups: where it is counted and limited; this shell goes first. Nobody removes them.",
        *_cgroup(plan.cgroup),
        "",
        f"# namespaces: up to {end}, all is done in them, by the container's first process",
        f"exec {' '.join(_namespaces(plan))} bash /dev/fd/3 3<<'{end}'",
        "set -e",
        "exec 3<&-",
        *inside,
        end,
    ]


def _delimiter(lines: list[str]) -> str:
    """Return a word that no line of the here-document is."""
    word = "INSIDE"
    texts = {part for line in lines for part in line.splitlines()}
    while word in texts:
        word += "_"
    return word


# ── cgroups ──────────────────────────────────────────────────────────────────────────────────


def _cgroup(plan: CgroupPlan) -> Iterator[str]:
    if plan.scope is not None:
        yield f"# systemd makes the scope {plan.scope.unit} in {plan.scope.parent}, as by:"
        yield f"# systemd-run --scope --unit={plan.scope.unit} --slice={plan.scope.parent} bash"
    for directory in plan.directories:
        yield from _directory(directory)
    if plan.device_program:
        size = len(plan.device_program) // 8
        yield f"# device rules: an eBPF program of {size} instructions on the unified cgroup"
    for write in plan.writes:
        file = f"{directory_of(plan, write.controller)}/{write.file}"
        yield f"echo {quote(write.value)} > {quote(file)}"
    for directory in plan.directories:
        yield f"echo $$ > {quote(directory.path + '/cgroup.procs')}"


def _directory(directory: CgroupDirectory) -> Iterator[str]:
    yield f"mkdir -p {quote(directory.path)}"
    parts = directory.path[len(directory.mount) :].strip("/").split("/")
    above = [f"{directory.mount}/{'/'.join(parts[:n])}".rstrip("/") for n in range(len(parts))]
    if directory.unified and directory.controllers:
        words = " ".join(f"+{name}" for name in directory.controllers)
        for place in above:
            yield f"echo {quote(words)} > {quote(place + '/cgroup.subtree_control')}"
    elif "cpuset" in directory.controllers and not directory.unified:
        # A new cpuset of v1 has no processors and no memory: nobody could join it.
        for parent, child in zip(above, [*above[1:], directory.path], strict=True):
            for name in ("cpus", "mems"):
                yield f"cat {quote(f'{parent}/cpuset.{name}')} > {quote(f'{child}/cpuset.{name}')}"


# ── namespaces ───────────────────────────────────────────────────────────────────────────────


def _namespaces(plan: Plan) -> Iterator[str]:
    """Yield the words that enter them all, joined ones first."""
    every = (*plan.before, *plan.staged, *plan.setup)
    joined = [
        f"--{NAMESPACE_FLAGS[step.kind]}={quote(step.source)}"
        for step in every
        if isinstance(step, steps.JoinNamespace)
    ]
    if plan.user is not None and plan.user.join:
        joined.append(f"--user={quote(plan.user.join)}")
    if plan.join_pid_namespace:
        joined.append(f"--pid={quote(plan.join_pid_namespace)}")
    if joined:
        yield " ".join(["nsenter", *joined])
    new = [
        f"--{NAMESPACE_FLAGS[kind]}"
        for step in every
        if isinstance(step, steps.Unshare)
        for kind in step.kinds
    ]
    for step in every:
        if isinstance(step, steps.NewTimeNamespace):
            new.append(f"--time --monotonic {step.monotonic[0]} --boottime {step.boottime[0]}")
    if plan.user is not None and not plan.user.join:
        new += _user(plan.user)
    if plan.new_pid_namespace:
        new.append("--pid --fork")
    if "--mount" in new:
        new.append("--propagation unchanged")
    if new:
        yield " ".join(["unshare", *new])


def _user(plan: UserPlan) -> Iterator[str]:
    yield "--user --setuid 0 --setgid 0"
    for kind, entries in (("users", plan.uid_map), ("groups", plan.gid_map)):
        for inside, outside, count in entries:
            yield f"--map-{kind}={outside},{inside},{count}"


def _setup(plan: Plan) -> Iterator[str]:
    entered = (steps.Unshare, steps.JoinNamespace, steps.NewTimeNamespace)
    if plan.staged:
        yield "# by somebody who has the host's rights still, in a mount namespace of its own:"
    for step in (*plan.before, *plan.staged, *plan.setup):
        if not isinstance(step, entered):
            yield from explain_step(step)


# ── the process ──────────────────────────────────────────────────────────────────────────────


def explain_process(process: ProcessPlan) -> list[str]:
    """Return the lines for the last part, from the session to exec."""
    lines = [
        f"prlimit --pid $$ --{limit.name.removeprefix('RLIMIT_').lower()}={limit.soft}:{limit.hard}"
        for limit in process.rlimits
    ]
    if process.oom_score_adj is not None:
        lines.append(f"echo {process.oom_score_adj} > /proc/self/oom_score_adj")
    lines.append(f"umask {process.umask:04o}")
    if process.placement is not None:
        lines += _placement(process.placement)
    if process.label:
        lines.append(f"echo {quote(process.label)} > {process.label_file}")
    if process.seccomp is not None:
        size = len(process.seccomp.program) // 8
        lines.append(f"# seccomp: a filter of {size} instructions, which no shell can load")
    if not any(item.startswith("HOME=") for item in process.env):
        lines.append("# HOME is set to what the container's /etc/passwd says")
    if process.init:
        lines.append(f"# {process.init} is its first process and starts the command")
    lines.append(" \\\n    ".join(_execution(process)))
    return lines


def _execution(process: ProcessPlan) -> Iterator[str]:
    """Yield the parts of the last command: all that must be done by whoever execs."""
    yield "exec env -i " + shlex.join(process.env) if process.env else "exec env -i"
    if process.terminal:
        yield "setsid --ctty"
    if process.no_new_privileges:
        yield '"$(command -v setpriv)" --no-new-privs'
    words = ['"$(command -v capsh)" --chroot=.']
    words += _capabilities(process.capabilities)
    words += _identity(process)
    yield " ".join(words)
    args = [*([process.init] if process.init else []), *process.args]
    if process.cwd in ("", "/") and args and args[0].startswith("/"):
        yield f"--shell={quote(args[0])} -- {shlex.join(args[1:])}".rstrip()
        return
    # The container's own shell looks the command up in its PATH.
    go = f"cd {quote(process.cwd)} && " if process.cwd not in ("", "/") else ""
    script = quote(go + 'exec "$0" "$@"')
    yield f"--shell={_ROOT_SHELL} -- -c {script} {shlex.join(args)}"


def _capabilities(plan: CapabilityPlan | None) -> Iterator[str]:
    if plan is None:
        return
    dropped = ",".join(name.lower() for name in names_of(~plan.bounding & (1 << 64) - 1))
    if dropped:
        yield f"--drop={dropped}"
    if plan.inheritable:
        yield f"--inh={','.join(name.lower() for name in names_of(plan.inheritable))}"
    if plan.ambient:
        yield f"--addamb={','.join(name.lower() for name in names_of(plan.ambient))}"


def _identity(process: ProcessPlan) -> Iterator[str]:
    user, _, group = process.user.partition(":")
    if user and not user.isdecimal():
        yield f"--user={quote(user)}"
        return
    uid, gid = user or str(process.uid), group or str(process.gid)
    if not process.keep_groups:
        own = [gid] if user else []  # and those that the container's /etc/group adds
        yield f"--groups={','.join([*own, *map(str, process.groups)])}"
    if gid != "0":
        yield f"--gid={gid}"
    if uid != "0":
        yield f"--uid={uid}"


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
        yield "# personality: as by setarch linux32"
    if placement.memory_mode >= 0:
        yield f"# memory policy {placement.memory_mode}, nodes {placement.memory_nodes}"
