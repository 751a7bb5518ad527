"""``boxshipd --validate``: see what a start would refuse, and start nothing, make nothing.

It looks at this machine: its users and groups, the plugins that are described or enabled on it.
"""

import os

from boxship.base.errors import InvalidArgumentError
from boxship.daemon.certificates import tls_context
from boxship.daemon.config import DaemonConfig
from boxship.daemon.listeners import check_listeners
from boxship.daemon.plugins import named_plugins, plugin_settings
from boxship.daemon.remap import check_user_maps
from boxship.engine.engine import DATABASE
from boxship.engine.managed.shelf import enabled_names
from boxship.engine.records.database import check_schema
from boxship.engine.records.schema import MIGRATIONS
from boxship.engine.records.snapshots import schema_of
from boxship.plugin import discovery
from boxship.plugin.packages import packaged


def validate(config: DaemonConfig) -> None:
    """BoxshipError says what a start would refuse."""
    for tls in (config.tls, config.token_tls):
        if tls is not None:
            tls_context(tls)
    check_listeners(config)
    check_user_maps(config.text("userns-remap"))
    path = os.path.join(config.text("data-root"), DATABASE)
    check_schema(path, schema_of(path), MIGRATIONS[-1].number)
    _check_plugins(config, path)


def _check_plugins(config: DaemonConfig, records: str) -> None:
    """See that every plugin is there that is named; whether it answers shows at the start."""
    directories = plugin_settings(config).directories
    for key, name in named_plugins(config):
        if discovery.find(name, directories) is not None or name in packaged():
            continue
        if {name, f"{name}:latest"}.isdisjoint(enabled_names(records)):
            raise InvalidArgumentError(f'{key}: plugin "{name}" not found')
