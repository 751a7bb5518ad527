"""The options about plugins, as the engine is told them."""

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from boxship.api.authorization import Gate
from boxship.api.facts import ActivePlugins
from boxship.base.errors import BoxshipError, InvalidArgumentError
from boxship.engine.containers.logdrivers.names import KNOWN
from boxship.engine.plugins.entry import PluginEntry
from boxship.engine.settings import PluginSettings

if TYPE_CHECKING:
    from boxship.api.authorizationplugins import PluginJudge
    from boxship.daemon.config import DaemonConfig

_log = logging.getLogger(__name__)
_JUDGES = "authorization-plugins"
_LOGS = "log-driver"


def judges(config: "DaemonConfig", plugins: PluginEntry) -> "tuple[PluginJudge, ...]":
    """Return who is asked about each request, in order; a name that is repeated counts once."""
    names = dict.fromkeys(config.words(_JUDGES))
    if not names:
        return ()
    from boxship.api.authorizationplugins import PluginJudge  # noqa: PLC0415 - few daemons have any

    return tuple(PluginJudge(name, plugins) for name in names)


async def checked_judges(config: "DaemonConfig", plugins: PluginEntry) -> "tuple[PluginJudge, ...]":
    """As :func:`judges`, at the daemon's start. InvalidArgumentError: one is not there."""
    found = judges(config, plugins)
    for judge in found:
        try:
            await judge.check()
        except BoxshipError as error:
            raise InvalidArgumentError(f"{_JUDGES}: {error}") from error
    return found


async def with_judges(
    config: "DaemonConfig", before: "DaemonConfig", plugins: PluginEntry
) -> "DaemonConfig":
    """Return what a reload takes over: with the judges of before, if one of the new is not there.

    Else every request would be refused, the one that repairs it as well.
    """
    if config.words(_JUDGES) == before.words(_JUDGES):
        return config
    try:
        await checked_judges(config, plugins)
    except InvalidArgumentError as error:
        _log.error("%s: the list stays as it was", error)
        return replace(config, values={**config.values, _JUDGES: before.values[_JUDGES]})
    return config


def named_plugins(config: "DaemonConfig") -> tuple[tuple[str, str], ...]:
    """Return the options that name plugins without which no daemon starts, each with a name."""
    named = [(_JUDGES, name) for name in dict.fromkeys(config.words(_JUDGES))]
    driver = config.text(_LOGS)
    return (*named, *([] if driver in KNOWN else [(_LOGS, driver)]))


async def check_log_driver(config: "DaemonConfig", plugins: PluginEntry) -> None:
    """At the daemon's start: containers' default driver is there. InvalidArgumentError."""
    name = config.text(_LOGS)
    if name in KNOWN:
        return
    from boxship.plugin.capability import Capability  # noqa: PLC0415 - few daemons have such a one

    try:
        await plugins().provider(Capability.LOG, name)
    except BoxshipError as error:
        built_in = ", ".join(sorted(filter(None, KNOWN)))
        raise InvalidArgumentError(f"log-driver: {error} (built in are {built_in})") from error


def judging(gate: Gate, name: str) -> list[str]:
    """Say whether a plugin is among the judges, as :meth:`Plugins.add_users` wants it."""
    names = [getattr(judge, "name", "") for judge in gate.judges]
    return [_JUDGES] if {name, name.removesuffix(":latest")} & {*names} else []


def active_plugins(config: "DaemonConfig", plugins: PluginEntry | None) -> ActivePlugins:
    """Return what plugins there are to show; nothing is loaded or asked for it."""
    judges_ = tuple(dict.fromkeys(config.words(_JUDGES)))
    if plugins is None or plugins.loaded is None:
        return ActivePlugins(authorization=judges_)
    from boxship.plugin.capability import Capability  # noqa: PLC0415 - loaded if plugins are

    names = plugins.loaded.names
    return ActivePlugins(
        volume=names(Capability.VOLUME),
        network=names(Capability.NETWORK),
        authorization=judges_,
        log=names(Capability.LOG),
    )


def plugin_settings(config: "DaemonConfig") -> PluginSettings:
    """Translate the options about plugins. InvalidArgumentError names the one that cannot be."""
    timeout = config.number("plugin-timeout")
    if timeout <= 0:
        raise InvalidArgumentError(f"invalid plugin-timeout: {timeout} (at least 1 second)")
    own = f"{config.text('exec-root')}/plugins"
    directories = dict.fromkeys((own, *config.words("plugin-dirs")))
    return PluginSettings(
        directories=tuple(directories),
        hosted=f"{config.text('exec-root')}/hosted",
        timeout=timeout,
    )
