"""What a plugin may do to the host, which whoever installs it has to agree to; pure."""

from collections.abc import Iterable, Sequence

from msgspec import Struct

from boxship.base.errors import ForbiddenError
from boxship.oci.plugin import PluginConfig

_ALONE = ("", "null", "none", "bridge")
"""Networks that let it reach nothing of the host's."""


class Privilege(Struct, frozen=True, rename="pascal"):
    """One thing that it asks for; the names are Docker's."""

    name: str
    description: str = ""
    value: tuple[str, ...] | None = ()


def asked(config: PluginConfig) -> tuple[Privilege, ...]:
    """Return what a configuration asks for, in Docker's order."""
    found = []
    if config.network.type not in _ALONE:
        value = (config.network.type,)
        found.append(Privilege("network", "permissions to access a network", value))
    if config.ipc_host:
        told = "allow access to host ipc namespace"
        found.append(Privilege("host ipc namespace", told, ("true",)))
    if config.pid_host:
        told = "allow access to host pid namespace"
        found.append(Privilege("host pid namespace", told, ("true",)))
    for mount in config.mounts or ():
        if mount.source is not None:
            found.append(Privilege("mount", "host path to mount", (mount.source,)))
    for device in config.linux.devices or ():
        if device.path is not None:
            found.append(Privilege("device", "host device to access", (device.path,)))
    if config.linux.allow_all_devices:
        told = "allow 'rwm' access to all devices"
        found.append(Privilege("allow-all-devices", told, ("true",)))
    if config.linux.capabilities:
        told = "list of additional capabilities required"
        found.append(Privilege("capabilities", told, config.linux.capabilities))
    return tuple(found)


def check_granted(config: PluginConfig, granted: Sequence[Privilege]) -> None:
    """Raise ForbiddenError unless what was agreed to is what the configuration asks for."""
    wanted = asked(config)
    if _keys(wanted) == _keys(granted):
        return
    missing = sorted(_keys(wanted) - _keys(granted))
    told = "; ".join(f"{name} [{' '.join(value)}]" for name, value in missing)
    reason = f"the plugin also asks for {told}" if missing else "the plugin asks for less"
    raise ForbiddenError(f"incorrect privileges: {reason}")


def _keys(privileges: Iterable[Privilege]) -> set[tuple[str, tuple[str, ...]]]:
    return {(each.name, tuple(sorted(each.value or ()))) for each in privileges}
