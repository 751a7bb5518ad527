"""A plugin as the record of a container: what its configuration and settings come to; pure."""

import posixpath

from boxship.base.errors import InvalidArgumentError
from boxship.base.ids import short_id
from boxship.engine.containers import defaults
from boxship.engine.containers.paths import Paths
from boxship.engine.containers.record import ContainerRecord, MountPoint
from boxship.engine.managed.places import RUN, Places
from boxship.engine.managed.record import PluginRecord
from boxship.engine.plugins import measuring
from boxship.engine.settings import BUILT_IN_RUNTIME, EngineSettings
from boxship.model.container import (
    ContainerConfig,
    DeviceMapping,
    HostConfig,
    LogConfig,
    RestartPolicy,
)
from boxship.oci.plugin import PluginConfig, PluginMount

_ALL_DEVICES = ("a *:* rwm",)
_PROPAGATION = frozenset({"private", "rprivate", "slave", "rslave", "shared", "rshared"})
_WITHOUT_HOSTNAME = "HOSTNAME"
"""Docker's plugins have no such variable: a word without ``=`` takes it away."""
_LOG = LogConfig("json-file", {"max-size": "1m", "max-file": "2"})


def check(config: PluginConfig) -> None:
    """Raise InvalidArgumentError for a configuration that no plugin can be made of."""
    socket = config.interface.socket
    if socket in (".", "..") or "/" in socket or "\0" in socket:
        raise InvalidArgumentError(
            f"the plugin's socket is {socket!r}: it must be the name of a file in {RUN}"
        )
    for mount in config.mounts or ():
        if mount.type not in ("bind", "tmpfs"):
            raise InvalidArgumentError(
                f"mount {mount.name or mount.destination} is of type {mount.type!r}: "
                "plugins can have bind and tmpfs"
            )
    targets = [mount.destination for mount in config.mounts or ()]
    if config.propagated_mount:
        targets.append(config.propagated_mount)
    for target in targets:
        if not target.startswith("/") or posixpath.normpath(target) == "/":
            raise InvalidArgumentError(f"{target!r} is no place for a plugin's mount")


def process_record(
    record: PluginRecord,
    places: Places,
    settings: EngineSettings,
    *,
    created_ns: int,
    unified_cgroups: bool,
) -> ContainerRecord:
    """Return what the plugin is run as.

    InvalidArgumentError: it has no command, or a mount without a source.
    """
    config = record.config
    command = (*(config.entrypoint or ()), *record.settings.args)
    return ContainerRecord(
        id=record.process,
        name=f"plugin-{record.process}",
        created_ns=created_ns,
        image_id="",
        path=command[0] if command else "",
        args=command[1:],
        config=ContainerConfig(
            hostname=short_id(record.id),
            user=_user(config),
            env=(_WITHOUT_HOSTNAME, *record.settings.env),
            working_dir=config.work_dir,
        ),
        host=defaults.fill(
            _host(record), settings, unified_cgroups=unified_cgroups, runtime=BUILT_IN_RUNTIME
        ),
        driver="vfs",
        log_path=Paths(places.data_root, places.exec_root).of(record.process).log,
        mounts=_mounts(record, places),
    )


def check_startable(record: ContainerRecord, name: str) -> None:
    """Raise InvalidArgumentError for what cannot be started, however it came about."""
    if not record.path:
        raise InvalidArgumentError(f"plugin {name} has neither entrypoint nor args")
    for point in record.mounts:
        if point.type == "bind" and not point.source:
            raise InvalidArgumentError(
                f"plugin {name}: the mount at {point.destination} has no source: set one"
            )


def _host(record: PluginRecord) -> HostConfig:
    config = record.config
    return HostConfig(
        log_config=_LOG,
        network_mode="host" if config.network.type == "host" else "none",
        restart_policy=RestartPolicy("unless-stopped"),
        runtime=BUILT_IN_RUNTIME,
        cap_add=config.linux.capabilities,
        ipc_mode="host" if config.ipc_host else "private",
        pid_mode="host" if config.pid_host else "",
        userns_mode="host",
        devices=tuple(
            DeviceMapping(device.path, device.path, "rwm")
            for device in record.settings.devices
            if device.path
        ),
        device_cgroup_rules=_ALL_DEVICES if config.linux.allow_all_devices else None,
    )


def _user(config: PluginConfig) -> str:
    return f"{config.user.uid}:{config.user.gid}"


def _mounts(record: PluginRecord, places: Places) -> tuple[MountPoint, ...]:
    points = [_point(mount) for mount in record.settings.mounts]
    if places.collects(record):
        seen = measuring.INSIDE
        points.append(MountPoint("bind", seen, places.metrics, read_write=False))
    points.append(
        MountPoint("bind", RUN, places.run(record), propagation="rprivate", options=("rbind",))
    )
    if record.config.propagated_mount:
        points.append(
            MountPoint(
                "bind",
                posixpath.normpath(record.config.propagated_mount),
                places.propagated(record),
                propagation="rshared",
                options=("rbind",),
            )
        )
    return tuple(points)


def _point(mount: PluginMount) -> MountPoint:
    words = mount.options or ()
    target = posixpath.normpath(mount.destination)
    if mount.type == "tmpfs":
        options = tuple(word for word in words if word not in ("ro", "rw"))
        return MountPoint("tmpfs", target, read_write="ro" not in words, options=options)
    propagation = [word for word in words if word in _PROPAGATION]
    return MountPoint(
        "bind",
        target,
        mount.source or "",
        read_write="ro" not in words,
        propagation=propagation[-1] if propagation else "rprivate",
        options=("bind",) if "bind" in words and "rbind" not in words else ("rbind",),
    )
