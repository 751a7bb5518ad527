"""The configuration of a managed plugin, as registries keep it and the API shows it; frozen.

Its bytes are kept as they came, since their digest is in the manifest. Member names are Go's;
authors write them in any case, and Docker's own registry objects have Go's (``rootfs`` alone is in
lower case). Source: the Engine API's ``PluginConfig``.
"""

from typing import Any, get_args, get_type_hints

import msgspec
from msgspec import UNSET, Struct, UnsetType

from boxship.oci.image import MalformedImageError, RootFS

PLUGIN_CONFIG_TYPE = "application/vnd.docker.plugin.v1+json"

_Words = tuple[str, ...] | None


class PluginMount(Struct, frozen=True, rename="pascal"):
    """A mount; without a source nothing of the host is in it."""

    description: str = ""
    destination: str = ""
    name: str = ""
    options: _Words = None
    settable: _Words = None
    source: str | None = None
    type: str = ""


class PluginDevice(Struct, frozen=True, rename="pascal"):
    """A device of the host; without a path there is none until somebody sets one."""

    description: str = ""
    name: str = ""
    path: str | None = None
    settable: _Words = None


class PluginEnv(Struct, frozen=True, rename="pascal"):
    """A variable; without a value it is not set."""

    description: str = ""
    name: str = ""
    settable: _Words = None
    value: str | None = None


class PluginArgs(Struct, frozen=True, rename="pascal"):
    """What follows the entry point."""

    description: str = ""
    name: str = ""
    settable: _Words = None
    value: _Words = None


class PluginInterface(Struct, frozen=True, rename="pascal"):
    """How it is spoken to: a socket in ``/run/docker/plugins``, and what it implements."""

    protocol_scheme: str | UnsetType = UNSET
    socket: str = ""
    types: _Words = None


class PluginUser(Struct, frozen=True, omit_defaults=True):
    """Whom its program runs as."""

    gid: int = msgspec.field(default=0, name="GID")
    uid: int = msgspec.field(default=0, name="UID")


class PluginNetwork(Struct, frozen=True, rename="pascal"):
    """``host``, or a network namespace with nothing but loopback."""

    type: str = ""


class PluginLinux(Struct, frozen=True, rename="pascal"):
    """What it may do beyond what containers may."""

    allow_all_devices: bool = False
    capabilities: _Words = None
    devices: tuple[PluginDevice, ...] | None = None


class PluginConfig(Struct, frozen=True, rename="pascal"):
    """What a plugin is made of, and what it wants of the host."""

    args: PluginArgs = PluginArgs()
    description: str = ""
    docker_version: str | UnsetType = UNSET
    documentation: str = ""
    entrypoint: _Words = None
    env: tuple[PluginEnv, ...] | None = None
    interface: PluginInterface = PluginInterface()
    ipc_host: bool = False
    linux: PluginLinux = PluginLinux()
    mounts: tuple[PluginMount, ...] | None = None
    network: PluginNetwork = PluginNetwork()
    pid_host: bool = False
    propagated_mount: str = ""
    user: PluginUser = PluginUser()
    work_dir: str = ""
    rootfs: RootFS | UnsetType = msgspec.field(default=UNSET, name="rootfs")


def decode_config(data: bytes) -> PluginConfig:
    """Read a configuration. MalformedImageError names the field that is wrong."""
    try:
        return msgspec.convert(_named(msgspec.json.decode(data), PluginConfig), PluginConfig)
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeError, RecursionError) as error:
        raise MalformedImageError(f"a plugin's config.json: {error}") from error


def encode_config(config: PluginConfig) -> bytes:
    """Write a configuration with Go's names, its members in order."""
    return msgspec.json.encode(config)


def _named(value: Any, hint: Any) -> Any:
    """Give members the names that ``hint`` has for them, as Go's decoder does; drop nulls."""
    shape = _struct_in(hint)
    if shape is None:
        return value
    if isinstance(value, list):
        return [_named(item, shape) for item in value]
    if not isinstance(value, dict):
        return value
    hints = get_type_hints(shape)
    known = {
        field.encode_name.lower(): (field.encode_name, hints[field.name])
        for field in msgspec.structs.fields(shape)
    }
    found = {}
    for name, member in value.items():
        if name.lower() in known and member is not None:
            encoded, inner = known[name.lower()]
            found[encoded] = _named(member, inner)
    return found


def _struct_in(hint: Any) -> type[Struct] | None:
    """Return the struct that a hint is about, alone, in a tuple or beside others."""
    if isinstance(hint, type) and issubclass(hint, Struct):
        return hint
    return next(filter(None, map(_struct_in, get_args(hint))), None)
