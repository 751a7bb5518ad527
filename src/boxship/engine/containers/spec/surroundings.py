"""What a spec depends on beyond the record; looked up before, so that the rest is pure."""

from dataclasses import dataclass

from boxship.engine.containers.paths import ContainerFiles
from boxship.engine.networks.plug import NOTHING_MADE, NamespacePaths
from boxship.engine.settings import UserMaps
from boxship.oci.runtime import Seccomp


@dataclass(frozen=True)
class Surroundings:
    """Facts of this machine, this daemon and the containers that are joined.

    ``*_pid`` are the first processes of the containers whose namespaces are shared; 0: none.
    """

    files: ContainerFiles
    hostname: str
    """The container's own, or that of the one whose network it shares."""
    cgroup_parent: str
    unified_cgroups: bool
    systemd_cgroups: bool = False
    security_modules: tuple[str, ...] = ()
    """Of "apparmor" and "selinux" those that are active."""
    default_no_new_privileges: bool = False
    network_pid: int = 0
    made: NamespacePaths = NOTHING_MADE
    """Namespaces that were made before."""
    pid_pid: int = 0
    user_pid: int = 0
    user_maps: UserMaps | None = None
    """None: it is in the host's user namespace."""
    ipc_pid: int = 0
    shm_path: str = ""
    """A host directory to show as /dev/shm (shared IPC); empty: a tmpfs of its own."""
    seccomp: Seccomp | None = None
    init_path: str = ""
    """The init program on the host, for ``--init``; empty: none."""
    init_is_ours: bool = True
    """Ours is told the command's path; any other looks it up itself, behind ``--``."""
    capabilities: int = -1
    """What the daemon itself may give, as a mask."""
