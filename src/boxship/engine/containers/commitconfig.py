"""The config of an image that is committed; pure.

What is asked for counts; where it says nothing, the container's own config does, by the rules by
which an image's config completes that of a container at create. Fields that only mean something to
a container (its host name, its terminal, the image it came from) are left behind, as newer dockerd
does.
"""

from msgspec import UNSET
from msgspec.structs import replace

from boxship.model.container import ContainerConfig, HealthConfig
from boxship.model.portmaps import unfolded_config
from boxship.oci.image import Empty, Healthcheck, ImageConfig


def image_config(config: ContainerConfig) -> ImageConfig:
    """Return what of a container's config an image has too."""
    return ImageConfig(
        user=config.user,
        exposed_ports=_exposed(config),
        env=config.env,
        entrypoint=config.entrypoint,
        cmd=config.cmd,
        healthcheck=_healthcheck(config.healthcheck or None),
        args_escaped=bool(config.args_escaped),
        volumes={path: Empty() for path in config.volumes or ()} or None,
        working_dir=config.working_dir,
        labels=config.labels,
        on_build=config.on_build or None,
        stop_signal=config.stop_signal or "",
        stop_timeout=None if config.stop_timeout is UNSET else config.stop_timeout,
        shell=config.shell or None,
    )


def _exposed(config: ContainerConfig) -> dict[str, Empty] | None:
    return {port: Empty() for port in unfolded_config(config).exposed_ports or ()} or None


def completed(asked: ImageConfig, own: ImageConfig) -> ImageConfig:
    """Return the config asked for with what the container's own adds."""
    cmd, entrypoint = asked.cmd, asked.entrypoint
    if not entrypoint:
        cmd = cmd or own.cmd
        entrypoint = own.entrypoint if entrypoint is None else entrypoint
    names = {variable.partition("=")[0] for variable in asked.env or ()}
    kept = tuple(v for v in own.env or () if v.partition("=")[0] not in names)
    return replace(
        asked,
        cmd=cmd,
        entrypoint=entrypoint or None,
        env=(*(asked.env or ()), *kept) or None,
        labels={**(own.labels or {}), **(asked.labels or {})},
        exposed_ports={**(own.exposed_ports or {}), **(asked.exposed_ports or {})} or None,
        volumes={**(own.volumes or {}), **(asked.volumes or {})} or None,
        user=asked.user or own.user,
        working_dir=asked.working_dir or own.working_dir,
        stop_signal=asked.stop_signal or own.stop_signal,
        stop_timeout=own.stop_timeout if asked.stop_timeout is None else asked.stop_timeout,
        healthcheck=_merged(asked.healthcheck, own.healthcheck),
    )


def _merged(asked: Healthcheck | None, own: Healthcheck | None) -> Healthcheck | None:
    if asked is None or own is None:
        return asked or own
    return Healthcheck(
        test=asked.test or own.test,
        interval=asked.interval or own.interval,
        timeout=asked.timeout or own.timeout,
        start_period=asked.start_period or own.start_period,
        start_interval=asked.start_interval or own.start_interval,
        retries=asked.retries or own.retries,
    )


def _healthcheck(config: HealthConfig | None) -> Healthcheck | None:
    if not isinstance(config, HealthConfig):
        return None
    return Healthcheck(
        test=config.test,
        interval=config.interval,
        timeout=config.timeout,
        start_period=config.start_period,
        start_interval=config.start_interval,
        retries=config.retries,
    )
