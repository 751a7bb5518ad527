"""What Docker can do and this version cannot: said at create, never silently dropped."""

import posixpath

from msgspec import UNSET

from boxship.base.errors import InvalidArgumentError, NotImplementedYetError
from boxship.engine.containers import mounts
from boxship.model.container import ContainerConfig, HostConfig


def check(config: ContainerConfig, host: HostConfig) -> None:
    """Raise NotImplementedYetError naming the option."""
    for given, what in (
        (_anonymous_volumes(config, host), "anonymous volumes (Volumes)"),
        (host.volumes_from, "volumes of other containers (VolumesFrom)"),
    ):
        if given:
            raise NotImplementedYetError(f"{what} are not available in this version")
    if host.storage_opt is not UNSET and host.storage_opt:
        unknown = next((name for name in host.storage_opt if name.lower() != "size"), None)
        if unknown is not None:
            raise InvalidArgumentError(f"Unknown option {unknown}")
        raise InvalidArgumentError(
            "--storage-opt is supported only for overlay over xfs with 'pquota' mount option"
        )


def without_effect(config: ContainerConfig, host: HostConfig) -> list[str]:
    """Return a warning for each option that is recorded and not carried out."""
    warnings = []
    if host.port_bindings and host.network_mode == "host":
        warnings.append("Published ports are discarded when using host network mode")
    if _has_probe(config):
        warnings.append("The health check is recorded and not run: this version has no probes")
    return warnings


def _has_probe(config: ContainerConfig) -> bool:
    health = config.healthcheck
    return bool(health is not UNSET and health and health.test and health.test[0] != "NONE")


def _anonymous_volumes(config: ContainerConfig, host: HostConfig) -> set[str]:
    """Return the volumes that no mount covers: docker-py names the targets of its binds, too."""
    if not config.volumes:
        return set()
    tmpfs = host.tmpfs if host.tmpfs is not UNSET else None
    covered = {point.destination for point in mounts.resolve(host)}
    covered.update(map(posixpath.normpath, tmpfs or ()))
    return {posixpath.normpath(path) for path in config.volumes} - covered
