"""The options about plugins, as the engine is told them."""

from typing import TYPE_CHECKING

from boxship.base.errors import InvalidArgumentError
from boxship.engine.settings import PluginSettings

if TYPE_CHECKING:
    from boxship.daemon.config import DaemonConfig


def plugin_settings(config: "DaemonConfig") -> PluginSettings:
    """Translate the options about plugins. InvalidArgumentError names the one that cannot be."""
    timeout = config.number("plugin-timeout")
    if timeout <= 0:
        raise InvalidArgumentError(f"invalid plugin-timeout: {timeout} (at least 1 second)")
    own = f"{config.text('exec-root')}/plugins"
    directories = dict.fromkeys((own, *config.words("plugin-dirs")))
    return PluginSettings(directories=tuple(directories), timeout=timeout)
