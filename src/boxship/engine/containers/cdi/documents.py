"""One file of devices: its shape, and what may be in it.

JSON, or YAML as vendors' tools write it. A field that is unknown is an error, like one that came
in a later version than the file says it is of: who wrote it counts on its effect.
"""

import re
from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Struct, field

from boxship.base.errors import InvalidArgumentError

_VERSIONS = ("0.3.0", "0.4.0", "0.5.0", "0.6.0", "0.7.0", "0.8.0", "1.0.0", "1.1.0")
_VENDOR = re.compile(r"[A-Za-z](?:[A-Za-z0-9_.-]*[A-Za-z0-9])?")
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.:-]*[A-Za-z0-9])?")
_HOOKS = frozenset(
    ("prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop")
)
_DEVICE_TYPES = frozenset("bcup")
_ACCESS = re.compile(r"[rwm]{0,3}|none")


class _Part(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """What all parts have in common."""


class DeviceNode(_Part, frozen=True):
    """A node to make; what is left out is taken from the host's node at ``host_path``."""

    path: str
    host_path: str = ""
    type: str = ""
    major: int = 0
    minor: int = 0
    file_mode: int | None = None
    permissions: str = ""
    uid: int | None = None
    gid: int | None = None


class NetDevice(_Part, frozen=True):
    """An interface of the host's that moves into the container (1.1.0)."""

    host_interface_name: str
    name: str = ""


class Mount(_Part, frozen=True):
    host_path: str
    container_path: str
    options: tuple[str, ...] = ()
    type: str = ""


class Hook(_Part, frozen=True):
    hook_name: str
    path: str
    args: tuple[str, ...] = ()
    env: tuple[str, ...] = ()
    timeout: int | None = None


class IntelRdt(_Part, frozen=True):
    clos_id: str = field(default="", name="closID")
    l3_cache_schema: str = ""
    mem_bw_schema: str = ""
    schemata: tuple[str, ...] = ()
    enable_monitoring: bool = False
    enable_cmt: bool = field(default=False, name="enableCMT")
    enable_mbm: bool = field(default=False, name="enableMBM")


class Edits(_Part, frozen=True):
    """What becomes of a container's runtime spec."""

    env: tuple[str, ...] = ()
    device_nodes: tuple[DeviceNode, ...] = ()
    net_devices: tuple[NetDevice, ...] = ()
    hooks: tuple[Hook, ...] = ()
    mounts: tuple[Mount, ...] = ()
    intel_rdt: IntelRdt | None = None
    additional_gids: tuple[int, ...] = ()


class Device(_Part, frozen=True):
    name: str
    container_edits: Edits
    annotations: dict[str, str] = {}


class Document(_Part, frozen=True):
    """A file; its own edits are made once for any number of its devices."""

    cdi_version: str
    kind: str
    devices: tuple[Device, ...]
    container_edits: Edits = Edits()
    annotations: dict[str, str] = {}


def read(path: str) -> Document:
    """Read a file and check it. InvalidArgumentError: what is wrong in it; OSError."""
    with open(path, "rb") as file:
        content = file.read()
    try:
        plain = msgspec.json.decode(content) if path.endswith(".json") else _from_yaml(content)
        document = msgspec.convert(plain, Document)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise InvalidArgumentError(str(error)) from error
    _check(document)
    return document


def _from_yaml(content: bytes) -> Any:
    try:
        import yaml  # noqa: PLC0415 - for the few who have such files
    except ImportError:
        raise InvalidArgumentError("YAML cannot be read: PyYAML is not installed") from None
    try:
        return yaml.safe_load(content)
    except (yaml.YAMLError, ValueError) as error:  # such as a date there is not
        raise InvalidArgumentError(f"YAML: {error}") from error


def qualified(kind: str, name: str) -> str:
    """Return ``vendor.com/class=name``."""
    return f"{kind}={name}"


def is_qualified(text: str) -> bool:
    """Tell whether it is the full name of a device."""
    kind, equals, name = text.partition("=")
    return bool(equals) and _is_kind(kind) and _NAME.fullmatch(name) is not None


def _is_kind(text: str) -> bool:
    vendor, slash, kind = text.partition("/")
    parts = (_VENDOR.fullmatch(part) for part in (vendor, kind))
    return bool(slash) and all(parts)


def _check(document: Document) -> None:
    if document.cdi_version not in _VERSIONS:
        raise InvalidArgumentError(f'invalid version "{document.cdi_version}"')
    if not _is_kind(document.kind):
        raise InvalidArgumentError(f'kind: "{document.kind}" is not vendor/class')
    needed = _least_version(document)
    if _VERSIONS.index(document.cdi_version) < _VERSIONS.index(needed):
        raise InvalidArgumentError(f"the spec version must be at least v{needed}")
    _check_edits("containerEdits", document.container_edits)
    if not document.devices:
        raise InvalidArgumentError("devices: there are none")
    seen: set[str] = set()
    for device in document.devices:
        if _NAME.fullmatch(device.name) is None:
            raise InvalidArgumentError(f'devices: "{device.name}" is not a name')
        if device.name in seen:
            raise InvalidArgumentError(f'devices: "{device.name}" is there twice')
        if device.container_edits == Edits():
            raise InvalidArgumentError(f'devices: "{device.name}" has no edits')
        seen.add(device.name)
        _check_edits(f"devices.{device.name}.containerEdits", device.container_edits)


def _check_edits(where: str, edits: Edits) -> None:
    for wrong in _wrong(edits):
        raise InvalidArgumentError(f"{where}.{wrong}")


def _wrong(edits: Edits) -> Iterator[str]:
    for variable in edits.env:
        if not variable.partition("=")[0] or "=" not in variable:
            yield f'env: "{variable}" is not NAME=value'
    for node in edits.device_nodes:
        if not node.path:
            yield "deviceNodes: path: missing"
        if node.type and node.type not in _DEVICE_TYPES:
            yield f'deviceNodes: {node.path}: type "{node.type}" is none of b, c, u, p'
        if _ACCESS.fullmatch(node.permissions) is None:
            yield f'deviceNodes: {node.path}: permissions "{node.permissions}" are not among rwm'
    yield from _wrong_elsewhere(edits)


def _wrong_elsewhere(edits: Edits) -> Iterator[str]:
    for device in edits.net_devices:
        if not device.host_interface_name:
            yield "netDevices: hostInterfaceName: missing"
    for mount in edits.mounts:
        if not mount.host_path or not mount.container_path:
            yield "mounts: hostPath and containerPath are both needed"
    for hook in edits.hooks:
        if hook.hook_name not in _HOOKS:
            yield f'hooks: hookName "{hook.hook_name}" is none of {", ".join(sorted(_HOOKS))}'
        if not hook.path.startswith("/"):
            yield f'hooks: path: "{hook.path}" is not absolute'
    rdt = edits.intel_rdt
    if rdt is not None and ("/" in rdt.clos_id or rdt.clos_id in (".", "..")):
        yield f'intelRdt: closID: "{rdt.clos_id}" is not a name'


def _least_version(document: Document) -> str:
    """Return the version that has all that the document uses."""
    edits = [document.container_edits, *(device.container_edits for device in document.devices)]
    annotated = document.annotations or any(device.annotations for device in document.devices)
    uses = {
        "1.1.0": any(each.net_devices for each in edits)
        or any(
            each.intel_rdt and (each.intel_rdt.schemata or each.intel_rdt.enable_monitoring)
            for each in edits
        ),
        "0.7.0": any(each.intel_rdt or each.additional_gids for each in edits),
        "0.6.0": bool(annotated) or "." in document.kind.partition("/")[2],
        "0.5.0": any(not device.name[:1].isalpha() for device in document.devices)
        or any(node.host_path for each in edits for node in each.device_nodes),
        "0.4.0": any(mount.type for each in edits for mount in each.mounts),
    }
    return next((version for version, used in uses.items() if used), _VERSIONS[0])
