"""Managed plugins as the API shows them; pure."""

from importlib import import_module
from typing import TYPE_CHECKING, cast

from boxship.wire import plugins as shapes

if TYPE_CHECKING:
    from boxship.engine.managed.privileges import Privilege
    from boxship.engine.managed.record import PluginRecord


def row(record: "PluginRecord") -> shapes.PluginRow:
    settings = record.settings
    return shapes.PluginRow(
        config=record.config,
        enabled=record.enabled,
        id=record.id,
        name=record.name,
        plugin_reference=record.reference,
        settings=shapes.SettingsRow(settings.args, settings.devices, settings.env, settings.mounts),
    )


def privilege_row(privilege: "Privilege") -> shapes.PrivilegeRow:
    return shapes.PrivilegeRow(privilege.name, privilege.description, privilege.value)


def privilege(row: shapes.PrivilegeRow) -> "Privilege":
    """Return what a client has agreed to."""
    module = import_module("boxship.engine.managed.privileges")
    return cast("Privilege", module.Privilege(row.name, row.description, row.value))
