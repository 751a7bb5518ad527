"""Say what a container is made of: its layers, network, cgroups, and the commands that make it."""

import contextlib
import os
import socket
from collections.abc import Iterator

import msgspec

from boxship.base.errors import BoxshipError, NotFoundError
from boxship.engine.containers import defaults
from boxship.engine.containers.context import Context
from boxship.engine.containers.live import Container
from boxship.engine.containers.record import ContainerRecord
from boxship.engine.settings import BUILT_IN_RUNTIME, EngineSettings
from boxship.model.container import HostConfig
from boxship.model.explanation import (
    CgroupValue,
    Difference,
    Explanation,
    Interface,
    LayerStep,
    Namespace,
)
from boxship.runtime.blueprint import Plan
from boxship.runtime.cgroups import effective
from boxship.runtime.explain import explain as script_of

_KINDS = ("mnt", "pid", "net", "ipc", "uts", "cgroup", "user", "time")
_OF_ITS_OWN = frozenset({"container_id_file", "console_size", "cgroup_parent"})


def explain(context: Context, container: Container, layers: tuple[LayerStep, ...]) -> Explanation:
    """Look at it and at what the kernel says of it; blocking, shortly."""
    record, planner = container.record, context.planner
    pid = record.state.pid if record.state.alive else 0
    cgroup = planner.cgroup(record)
    version = 2 if planner.unified_cgroups else 1
    writable, size = _writable(context, record)
    return Explanation(
        id=record.id,
        name=record.name,
        status=record.status.value,
        pid=pid,
        runtime=record.host.runtime or context.runtimes.default,
        image=record.image_ref,
        image_id=record.image_id,
        command=(record.path, *record.args),
        differences=differences(
            record.host,
            context.settings,
            unified=version == 2,
            runtime=context.runtimes.default,
        ),
        layers=layers,
        writable=writable,
        writable_size=size,
        network_mode=record.host.network_mode,
        namespaces=tuple(_namespaces(pid)),
        addresses=tuple(_addresses(pid)),
        interfaces=tuple(_interfaces(pid)),
        cgroup_version=version,
        cgroups=tuple(directory.path for directory in cgroup.directories),
        limits=_values(effective.limits(cgroup, version)),
        usage=_values(effective.usage(cgroup, version)),
        commands=_commands(context, record),
    )


def differences(
    host: HostConfig, settings: EngineSettings, *, unified: bool, runtime: str
) -> tuple[Difference, ...]:
    """Compare with what a ``run`` without options would have; pure."""
    usual = defaults.fill(HostConfig(), settings, unified_cgroups=unified, runtime=runtime)
    if host.memory_swappiness == -1:  # how Docker's client says that nothing is said
        usual = msgspec.structs.replace(usual, memory_swappiness=-1)
    default = msgspec.to_builtins(usual)
    own = {field.name: field.encode_name for field in msgspec.structs.fields(HostConfig)}
    ignored = {own[name] for name in _OF_ITS_OWN}
    return tuple(
        Difference(name, value, default.get(name))
        for name, value in msgspec.to_builtins(host).items()
        if name not in ignored and (value or None) != (default.get(name) or None)
    )


def written(context: Context, record: ContainerRecord) -> int:
    """Return the bytes it has written; blocking."""
    return _writable(context, record)[1]


def layers(context: Context, record: ContainerRecord) -> tuple[LayerStep, ...]:
    """Return its layers, topmost first. Not for threads: the images may change meanwhile."""
    known: dict[str, LayerStep] = {}
    with contextlib.suppress(NotFoundError):  # removed by force from under the container
        known = {step.id: step for step in context.images.layers(record.image_id)}
    return tuple(known.get(layer) or LayerStep(layer) for layer in reversed(record.layers))


def _writable(context: Context, record: ContainerRecord) -> tuple[str, int]:
    try:
        return context.snapshots.place(record.id), context.snapshots.usage(record.id)
    except (NotFoundError, OSError):
        return "", 0


def _values(values: tuple[effective.Value, ...]) -> tuple[CgroupValue, ...]:
    return tuple(CgroupValue(value.name, value.file, value.text) for value in values)


def _commands(context: Context, record: ContainerRecord) -> tuple[str, ...]:
    note: tuple[str, ...] = ()
    if record.host.runtime not in (None, "", BUILT_IN_RUNTIME):
        note = (f"# {record.host.runtime} made it; this is how Boxship's own runtime would",)
        own = msgspec.structs.replace(record.host, runtime=BUILT_IN_RUNTIME)
        record = msgspec.structs.replace(record, host=own)
    try:
        mount = context.snapshots.mount(record.id)
        plain = context.planner.plan(record, mount, context.shelf)
    except (BoxshipError, OSError) as error:
        return (f"# cannot be planned now: {error}",)
    first, *rest = script_of(Plan.from_plain(plain))
    return (first, *note, *rest)


# ── what the kernel says ─────────────────────────────────────────────────────────────────────


def _namespaces(pid: int) -> Iterator[Namespace]:
    for kind in _KINDS:
        try:
            own, host = os.readlink(f"/proc/{pid}/ns/{kind}"), os.readlink(f"/proc/self/ns/{kind}")
        except OSError:
            continue
        yield Namespace(kind, own, own == host)


def _interfaces(pid: int) -> Iterator[Interface]:
    for line in _lines(f"/proc/{pid}/net/dev")[2:]:
        name, _, numbers = line.partition(":")
        counters = numbers.split()
        yield Interface(name.strip(), int(counters[0]), int(counters[8]))


def _addresses(pid: int) -> Iterator[str]:
    """Yield the addresses the kernel takes packets for."""
    found: dict[str, None] = {}
    address = ""
    for line in _lines(f"/proc/{pid}/net/fib_trie"):
        words = line.split()
        if words[0] == "|--":
            address = words[1]
        elif words[0] == "/32" and "LOCAL" in words:
            found[address] = None
    for line in _lines(f"/proc/{pid}/net/if_inet6"):
        found[socket.inet_ntop(socket.AF_INET6, bytes.fromhex(line.split()[0]))] = None
    yield from found


def _lines(path: str) -> list[str]:
    try:
        with open(path) as file:
            return file.read().splitlines()
    except OSError:
        return []
