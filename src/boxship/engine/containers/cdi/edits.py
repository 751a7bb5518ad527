"""Give a runtime spec the devices: pure but for looking at the host's nodes."""

import os
import stat
from collections.abc import Iterable
from dataclasses import replace

from boxship.base.errors import InvalidArgumentError
from boxship.engine.containers.cdi import documents
from boxship.engine.containers.cdi.documents import Edits
from boxship.engine.containers.cdi.registry import Found
from boxship.oci.runtime import (
    Device,
    DeviceRule,
    Hook,
    Hooks,
    IntelRdt,
    Linux,
    Mount,
    NetDevice,
    Process,
    Spec,
)

_TYPES = {stat.S_IFCHR: "c", stat.S_IFBLK: "b", stat.S_IFIFO: "p"}
_HOOK_FIELDS = {
    "prestart": "prestart",
    "createRuntime": "create_runtime",
    "createContainer": "create_container",
    "startContainer": "start_container",
    "poststart": "poststart",
    "poststop": "poststop",
}


def inject(spec: Spec, devices: Iterable[Found]) -> Spec:
    """Return the spec with all edits made, those of a file once and before its devices'.

    InvalidArgumentError: a node of the host's is missing.
    """
    made: set[str] = set()
    for found in devices:
        if found.path not in made:
            made.add(found.path)
            spec = _edited(spec, found.document.container_edits)
        spec = _edited(spec, found.device.container_edits)
    return spec


def _edited(spec: Spec, edits: Edits) -> Spec:
    process = spec.process
    if process is not None:
        process = _process(process, edits)
    return replace(
        spec,
        process=process,
        linux=_linux(spec.linux, edits, process),
        mounts=_mounts(spec.mounts, edits),
        hooks=_hooks(spec.hooks, edits),
    )


def _process(process: Process, edits: Edits) -> Process:
    names = {variable.partition("=")[0] for variable in edits.env}
    kept = tuple(word for word in process.env if word.partition("=")[0] not in names)
    groups = (*process.user.additional_gids, *edits.additional_gids)
    user = replace(process.user, additional_gids=tuple(dict.fromkeys(filter(None, groups))))
    return replace(process, env=(*kept, *edits.env), user=user)


def _linux(linux: Linux, edits: Edits, process: Process | None) -> Linux:
    devices, rules = list(linux.devices), list(linux.resources.devices)
    for node in edits.device_nodes:
        device = _device(node, process)
        devices = [other for other in devices if other.path != device.path] + [device]
        if device.type in ("b", "c") and node.permissions != "none":
            access = node.permissions or "rwm"
            rules.append(DeviceRule(True, device.type, device.major, device.minor, access))
    moved = {each.host_interface_name: NetDevice(each.name) for each in edits.net_devices}
    return replace(
        linux,
        devices=tuple(devices),
        resources=replace(linux.resources, devices=tuple(rules)),
        net_devices={**linux.net_devices, **moved},
        intel_rdt=_intel_rdt(edits.intel_rdt) if edits.intel_rdt else linux.intel_rdt,
    )


def _device(node: documents.DeviceNode, process: Process | None) -> Device:
    kind, major, minor, mode = node.type, node.major, node.minor, node.file_mode
    if not kind or (not major and kind != "p"):
        source = node.host_path or node.path
        try:
            status = os.stat(source)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise InvalidArgumentError(
                f"CDI device injection failed: failed to stat CDI host device {source!r}: {reason}"
            ) from error
        found = _TYPES.get(stat.S_IFMT(status.st_mode), "")
        if not found or (kind and kind not in (found, "u")):
            raise InvalidArgumentError(
                f"CDI device injection failed: {source!r} is not a device of type {kind or 'b, c'}"
            )
        kind, major, minor = found, os.major(status.st_rdev), os.minor(status.st_rdev)
        mode = stat.S_IMODE(status.st_mode) if mode is None else mode
    user = process.user if process else None
    return Device(
        node.path,
        kind,
        major,
        minor,
        mode,
        node.uid if node.uid is not None else (user.uid if user else 0),
        node.gid if node.gid is not None else (user.gid if user else 0),
    )


def _intel_rdt(rdt: documents.IntelRdt) -> IntelRdt:
    return IntelRdt(
        clos_id=rdt.clos_id,
        schemata=rdt.schemata,
        l3_cache_schema=rdt.l3_cache_schema,
        mem_bw_schema=rdt.mem_bw_schema,
        enable_monitoring=rdt.enable_monitoring,
        enable_cmt=rdt.enable_cmt,
        enable_mbm=rdt.enable_mbm,
    )


def _mounts(mounts: tuple[Mount, ...], edits: Edits) -> tuple[Mount, ...]:
    """Add mounts behind all that they could be inside of; the last of a target wins."""
    if not edits.mounts:
        return mounts
    targets = {mount.container_path for mount in edits.mounts}
    kept = [mount for mount in mounts if mount.destination not in targets]
    added = [
        Mount(each.container_path, each.type or "bind", each.host_path, _options(each))
        for each in edits.mounts
    ]
    return (*kept, *sorted(added, key=lambda mount: mount.destination.count("/")))


def _options(mount: documents.Mount) -> tuple[str, ...]:
    binds = mount.type in ("", "bind") and not {"bind", "rbind"} & set(mount.options)
    return ("rbind", *mount.options) if binds else mount.options


def _hooks(hooks: Hooks, edits: Edits) -> Hooks:
    for each in edits.hooks:
        name = _HOOK_FIELDS[each.hook_name]
        hook = Hook(each.path, each.args, each.env, each.timeout)
        hooks = replace(hooks, **{name: (*getattr(hooks, name), hook)})
    return hooks
