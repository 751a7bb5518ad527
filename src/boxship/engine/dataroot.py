"""The ground an engine stands on: its data root, the machine's name, its map of users."""

import os
from contextlib import suppress
from importlib import import_module

from boxship.engine.settings import EngineSettings, UserMaps


def machine_id() -> str:
    """Return what tells this machine from others: its id or, where nobody has set it, its name."""
    with suppress(OSError), open("/etc/machine-id", encoding="ascii") as file:
        return file.read().strip() or os.uname().nodename
    return os.uname().nodename


def make_data_root(settings: EngineSettings) -> None:
    """Make it, and keep the machine's users out: a volume's setuid programs aren't for them.

    Mapped users of containers have to get through, and who connects to a socket in the exec root.
    """
    passed = settings.user_maps is not None or settings.data_root == settings.exec_root
    os.makedirs(settings.data_root, exist_ok=True)
    os.chmod(settings.data_root, 0o711 if passed else 0o710)


def mapped_owners(data_root: str, maps: UserMaps) -> int:
    """Return a user namespace with these maps; it forks, so it is for before there are threads.

    UnavailableError: layers cannot show other owners here.
    """
    # Hardly any daemon needs it, so it is loaded for those that do.
    check = import_module("boxship.runtime.mapped_check").check_mapped_layers
    uid_map, gid_map = (
        tuple((m.container_id, m.host_id, m.size) for m in mappings)
        for mappings in (maps.uids, maps.gids)
    )
    check(data_root, uid_map, gid_map)
    namespace: int = import_module("boxship.runtime.userns").namespace_with_maps(uid_map, gid_map)
    return namespace
