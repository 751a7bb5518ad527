"""The mounts of a container: Docker's own, then the person's, each before what is inside it."""

from msgspec import UNSET

from boxship.engine.containers import mounts as asked
from boxship.engine.containers.checks import rights
from boxship.engine.containers.checks.modes import joined_container
from boxship.engine.containers.record import ContainerRecord, MountPoint
from boxship.engine.containers.spec.surroundings import Surroundings
from boxship.engine.settings import UserMaps
from boxship.model.container import HostConfig
from boxship.oci.runtime import Mount

INIT_TARGET = "/sbin/docker-init"

_PROC = Mount("/proc", "proc", "proc", ("nosuid", "noexec", "nodev"))
_DEV = Mount("/dev", "tmpfs", "tmpfs", ("nosuid", "strictatime", "mode=755", "size=65536k"))
_PTS = Mount(
    "/dev/pts",
    "devpts",
    "devpts",
    ("nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"),
)
_SYS = ("nosuid", "noexec", "nodev")
_MQUEUE = Mount("/dev/mqueue", "mqueue", "mqueue", ("nosuid", "noexec", "nodev"))
_LAST_GROUP = 2147483647
_SHM = ("nosuid", "noexec", "nodev", "mode=1777")


def mounts(record: ContainerRecord, around: Surroundings) -> tuple[Mount, ...]:
    """Return all mounts but the root's, in the order in which they are made.

    A person's mount takes the place of Docker's at the same target.
    """
    host = record.host
    own = _own(record, around)
    wanted = [_from_point(point, mapped=around.user_maps is not None) for point in record.mounts]
    wanted += [
        Mount(target, "tmpfs", "tmpfs", options)
        for target, options in asked.tmpfs_options(host).items()
    ]
    taken = {mount.destination for mount in wanted}
    if "/dev" in taken:
        taken |= {mount.destination for mount in own if mount.destination.startswith("/dev/")}
    kept = [mount for mount in own if mount.destination not in taken]
    system = [mount for mount in kept if mount not in (files := _files(record, around))]
    inside = [mount for mount in kept if mount in files]
    # sorted is stable: what was given first stays first among equals.
    wanted = sorted(wanted + inside, key=lambda mount: mount.destination.count("/"))
    return (*system, *wanted)


def _own(record: ContainerRecord, around: Surroundings) -> list[Mount]:
    host = record.host
    access = "rw" if host.privileged else "ro"
    cgroups = "rw" if rights.writable_cgroups(host) else "ro"
    found = [_PROC, _DEV, _PTS, Mount("/sys", "sysfs", "sysfs", (*_SYS, access))]
    found.append(Mount("/sys/fs/cgroup", "cgroup", "cgroup", (cgroups, *_SYS)))
    found.append(_MQUEUE)  # in whichever ipc namespace the container is, the host's too
    if (shm := _shm(host, around)) is not None:
        found.append(shm)
    found += _files(record, around)
    return found


def _shm(host: HostConfig, around: Surroundings) -> Mount | None:
    if host.ipc_mode == "none":
        return None
    if around.shm_path:
        return Mount("/dev/shm", "bind", around.shm_path, ("rbind", "rprivate"))
    return Mount("/dev/shm", "tmpfs", "shm", (*_SHM, f"size={host.shm_size}"))


def _files(record: ContainerRecord, around: Surroundings) -> list[Mount]:
    """The files that say who the container is; its programs may write to them, as in Docker."""
    options = ("rbind", "rprivate", *(("ro",) if record.host.readonly_rootfs else ()))
    found = [
        Mount("/etc/resolv.conf", "bind", around.files.resolv_conf, options),
        Mount("/etc/hostname", "bind", around.files.hostname, options),
        Mount("/etc/hosts", "bind", around.files.hosts, options),
    ]
    if around.init_path:
        found.append(Mount(INIT_TARGET, "bind", around.init_path, ("bind", "ro")))
    return found


def _from_point(point: MountPoint, *, mapped: bool) -> Mount:
    if point.type == "tmpfs":
        access = () if point.read_write else ("ro",)
        options = ("noexec", "nosuid", "nodev", *point.options, *access)
        return Mount(point.destination, "tmpfs", "tmpfs", options)
    binding = "bind" if "bind" in point.options else "rbind"
    access = ()
    if not point.read_write:
        recursive = binding == "rbind" and "ro-non-recursive" not in point.options
        access = ("rro",) if recursive else ("ro",)
    propagation = point.propagation or "rprivate"
    # A volume keeps the owners that containers see, as layers do, whoever they are outside.
    owners = ("idmap",) if mapped and point.type == "volume" else ()
    options = (binding, *access, propagation, *owners)
    return Mount(point.destination, "bind", point.source, options)


def sysctls(host: HostConfig, maps: UserMaps | None) -> dict[str, str]:
    """Return the sysctls asked for, over what Docker sets in a network of the container's own:

    any user may listen on low ports and ping. Of mapped groups those of the first range may, since
    the kernel takes nothing with groups in it that there aren't.
    """
    wanted = dict(host.sysctls or {}) if host.sysctls is not UNSET else {}
    shared = host.network_mode == "host" or joined_container(host.network_mode) is not None
    if shared:
        return wanted
    last = _LAST_GROUP if maps is None else maps.gids[0].size - 1
    own = {
        "net.ipv4.ip_unprivileged_port_start": "0",
        "net.ipv4.ping_group_range": f"0 {last}",
    }
    return {**own, **wanted}
