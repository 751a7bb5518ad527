"""Shapes of managed plugins; the configuration's own are ``boxship.oci.plugin``."""

from msgspec import Struct

from boxship.oci.plugin import PluginConfig, PluginDevice, PluginMount


class SettingsRow(Struct, frozen=True, rename="pascal"):
    """What may be changed, as it is now."""

    args: tuple[str, ...]
    devices: tuple[PluginDevice, ...]
    env: tuple[str, ...]
    mounts: tuple[PluginMount, ...]


class PluginRow(Struct, frozen=True, rename="pascal"):
    """A plugin, in lists and alone."""

    config: PluginConfig
    enabled: bool
    id: str
    name: str
    plugin_reference: str
    settings: SettingsRow


class PrivilegeRow(Struct, frozen=True, rename="pascal"):
    """Something of the host that a plugin asks for."""

    name: str = ""
    description: str = ""
    value: tuple[str, ...] | None = None
