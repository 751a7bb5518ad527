"""What a spec depends on beyond the record; looked up before, so that the rest is pure."""

from dataclasses import dataclass

from boxship.engine.containers.paths import ContainerFiles
from boxship.model.usermaps import UserMaps
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
    pid_pid: int = 0
    ipc_pid: int = 0
    shm_path: str = ""
    """A host directory to show as /dev/shm (shared IPC); empty: a tmpfs of its own."""
    seccomp: Seccomp | None = None
    init_path: str = ""
    """Our init program on the host, for ``--init``; empty: none."""
    user_maps: UserMaps | None = None
    """Who its users are outside; None: who they are inside."""
    user_pid: int = 0
    """Whose user namespace it shares, because it shares others; 0: one of its own."""
    capabilities: int = -1
    """What the daemon itself may give, as a mask."""
