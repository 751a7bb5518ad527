"""Where plugins run: the machinery of containers over a shelf, directories and storage of its own.

::

    containers' Context ──► yard: shelf      table plugin_processes
                                  paths      <data-root>/plugins, <exec-root>/plugins
                                  snapshots  plain directories (vfs), as volumes' paths lead there
                                  announcer  says nothing: whoever looks at events sees plugins

So a plugin outlives the daemon, is found again, and is started again when it dies, by the code that
does it for containers, and no list of containers ever shows one.
"""

import asyncio
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace

from boxship.engine.containers.announce import Announcer
from boxship.engine.containers.context import Context
from boxship.engine.containers.paths import Paths
from boxship.engine.containers.record import ContainerRecord
from boxship.engine.containers.shelf import Shelf
from boxship.engine.events.bus import EventBus
from boxship.engine.managed.places import Places
from boxship.engine.records.database import Database
from boxship.engine.records.trash import TrashBin
from boxship.storage.storage import Storage

PROCESSES = "plugin_processes"
_KIND = "plugin"


class _Silent(Announcer):
    """What happens to a plugin's process is nobody's event but the plugin's."""

    def say(
        self, record: ContainerRecord, action: str, more: Mapping[str, str] | None = None
    ) -> None:
        return


@dataclass(frozen=True)
class Yard:
    """``context`` is what the use cases of containers take."""

    context: Context
    storage: Storage
    places: Places


def open_yard(context: Context, database: Database) -> Yard:
    """Make the yard of an engine; the directories that are missing are made. OSError."""
    settings = context.settings
    places = Places.below(settings.data_root, settings.exec_root)
    storage = Storage.open(places.data_root, "vfs")
    paths = Paths(places.data_root, places.exec_root)
    for directory in (paths.containers, paths.shims, paths.mountpoint):
        os.makedirs(directory, 0o711, exist_ok=True)
    own = replace(
        context,
        paths=paths,
        shelf=Shelf(database, context.clock, PROCESSES, _KIND),
        announcer=_Silent(EventBus(context.clock)),
        snapshots=storage.snapshots,
        throw_away=lambda path: storage.disposal.add([storage.root.move_aside(path)]),
        planner=context.planner.at(paths),
        trash=TrashBin(database, context.clock),
        pruning=asyncio.Lock(),
        execs={},
    )
    return Yard(own, storage, places)
