"""Settings of a plugin: what its configuration begins with, and changes by ``name.field=value``.

::

    DEBUG=1               a variable; the field is ``value`` where none is named
    args="--a --b"        what follows the entry point, split as a shell does
    state.source=/data    a mount's ``source``
    fuse.path=/dev/fuse   a device's ``path``

Pure. Only what a configuration says is settable can be set.
"""

import contextlib
import shlex
from collections.abc import Sequence
from typing import NamedTuple

from msgspec.structs import replace

from boxship.base.errors import InvalidArgumentError
from boxship.engine.managed.record import PluginSettings
from boxship.oci.plugin import PluginConfig, PluginDevice, PluginEnv, PluginMount


class _Change(NamedTuple):
    name: str
    field: str
    value: str

    @property
    def told(self) -> str:
        return f"{self.name}.{self.field}" if self.field else self.name


def initial(config: PluginConfig) -> PluginSettings:
    """Return the settings that a configuration begins with."""
    return PluginSettings(
        args=config.args.value or (),
        devices=config.linux.devices or (),
        env=tuple(f"{env.name}={env.value}" for env in config.env or () if env.value is not None),
        mounts=config.mounts or (),
    )


def changed(config: PluginConfig, settings: PluginSettings, words: Sequence[str]) -> PluginSettings:
    """Return the settings after changes, of which all are made or none.

    InvalidArgumentError: one names nothing, or what cannot be set.
    """
    for change in map(_parsed, words):
        settings = _changed(config, settings, change)
    return settings


def carried_over(
    before: PluginConfig, settings: PluginSettings, after: PluginConfig
) -> PluginSettings:
    """Return the settings of another configuration, with what somebody had set of the old one.

    What cannot be set any more is as the new configuration has it.
    """
    result = initial(after)
    for change in _differences(before, settings):
        with contextlib.suppress(InvalidArgumentError):
            result = _changed(after, result, change)
    return result


def _parsed(word: str) -> _Change:
    """Read ``name[.field][=value]``. The last dot counts, and only before a field."""
    key, _, value = word.partition("=")
    name, dot, field = key.rpartition(".")
    return _Change(name, field, value) if dot else _Change(key, "", value)


def _changed(config: PluginConfig, settings: PluginSettings, change: _Change) -> PluginSettings:
    for env in config.env or ():
        if env.name == change.name:
            _check(change, env.settable, "value")
            return replace(settings, env=_with_variable(settings.env, env, change.value))
    for device in config.linux.devices or ():
        if device.name == change.name:
            _check(change, device.settable, "path")
            return replace(settings, devices=_with_device(settings.devices, change))
    for mount in config.mounts or ():
        if mount.name == change.name:
            _check(change, mount.settable, "source")
            return replace(settings, mounts=_with_mount(settings.mounts, change))
    if config.args.name and config.args.name == change.name:
        _check(change, config.args.settable, "value")
        return replace(settings, args=_split(change))
    raise InvalidArgumentError(f'setting "{change.name}" not found in the plugin configuration')


def _check(change: _Change, settable: Sequence[str] | None, only: str) -> None:
    """A kind of setting has one field that can be set, if its configuration says so."""
    if (change.field or only) != only or only not in (settable or ()):
        raise InvalidArgumentError(f'"{change.told}" is not settable')


def _split(change: _Change) -> tuple[str, ...]:
    try:
        return tuple(shlex.split(change.value))
    except ValueError as error:
        raise InvalidArgumentError(f'"{change.told}": {str(error).lower()}') from error


def _with_variable(env: tuple[str, ...], which: PluginEnv, value: str) -> tuple[str, ...]:
    names = [word.partition("=")[0] for word in env]
    setting = f"{which.name}={value}"
    if which.name not in names:
        return (*env, setting)
    return tuple(
        setting if name == which.name else word for name, word in zip(names, env, strict=True)
    )


def _with_device(devices: tuple[PluginDevice, ...], change: _Change) -> tuple[PluginDevice, ...]:
    return tuple(replace(d, path=change.value) if d.name == change.name else d for d in devices)


def _with_mount(mounts: tuple[PluginMount, ...], change: _Change) -> tuple[PluginMount, ...]:
    return tuple(replace(m, source=change.value) if m.name == change.name else m for m in mounts)


def _differences(config: PluginConfig, after: PluginSettings) -> list[_Change]:
    """Return the changes that lead from the beginning of a configuration to ``after``."""
    before, found = initial(config), []
    for word in after.env:
        if word not in before.env:
            name, _, value = word.partition("=")
            found.append(_Change(name, "value", value))
    for device in after.devices:
        if device not in before.devices:
            found.append(_Change(device.name, "path", device.path or ""))
    for mount in after.mounts:
        if mount not in before.mounts:
            found.append(_Change(mount.name, "source", mount.source or ""))
    if after.args != before.args:
        found.append(_Change(config.args.name, "value", shlex.join(after.args)))
    return found
