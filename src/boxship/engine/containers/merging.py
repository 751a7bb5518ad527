"""What a container gets from its image where the request says nothing; pure.

::

    environment       the image's, with the request's put over it by name
    command           the request's; the image's only if the request has no entry point either
    entry point       the request's; the image's otherwise ("" alone clears it)
    labels            both, the request's winning
    volumes           both
    user, directory, stop signal, health, shell, ports: the request's, else the image's
"""

import msgspec
from msgspec import UNSET

from boxship.base.errors import InvalidArgumentError
from boxship.model.container import ContainerConfig, HealthConfig
from boxship.oci.image import ImageConfig


def merge(config: ContainerConfig, image: ImageConfig | None) -> ContainerConfig:
    """Return the request's config with what the image adds."""
    image = image or ImageConfig()
    entrypoint, cmd = _command(config, image)
    labels = {**(image.labels or {}), **(config.labels or {})}
    changes: dict[str, object] = {
        "entrypoint": entrypoint,
        "cmd": cmd,
        "env": _environment(image.env, config.env),
        "labels": labels,
        "user": config.user or image.user,
        "working_dir": config.working_dir or image.working_dir,
    }
    if not config.stop_signal and image.stop_signal:
        changes["stop_signal"] = image.stop_signal
    if config.stop_timeout in (UNSET, None) and image.stop_timeout is not None:
        changes["stop_timeout"] = image.stop_timeout
    if image.shell and not config.shell:
        changes["shell"] = image.shell
    if image.exposed_ports:
        asked = config.exposed_ports if isinstance(config.exposed_ports, dict) else {}
        changes["exposed_ports"] = {**{port: {} for port in image.exposed_ports}, **asked}
    volumes = {**{path: {} for path in image.volumes or ()}, **(config.volumes or {})}
    changes["volumes"] = volumes or None
    health = _health(config, image)
    if health is not None:
        changes["healthcheck"] = health
    return msgspec.structs.replace(config, **changes)


def command(config: ContainerConfig) -> tuple[str, ...]:
    """Return the whole command line. InvalidArgumentError: there is none."""
    words = (*(config.entrypoint or ()), *(config.cmd or ()))
    if not words:
        raise InvalidArgumentError("no command specified")
    return words


def _command(
    config: ContainerConfig, image: ImageConfig
) -> tuple[tuple[str, ...] | None, tuple[str, ...] | None]:
    entrypoint, cmd = config.entrypoint, config.cmd
    if not entrypoint:
        if not cmd:
            cmd = image.cmd
        if entrypoint is None:
            entrypoint = image.entrypoint
    if entrypoint == ("",):  # how a client says: none, not even the image's
        entrypoint = None
    return entrypoint, cmd


def _environment(
    image: tuple[str, ...] | None, asked: tuple[str, ...] | None
) -> tuple[str, ...] | None:
    if not image:
        return asked
    names = {variable.partition("=")[0] for variable in asked or ()}
    kept = (variable for variable in image if variable.partition("=")[0] not in names)
    return (*(asked or ()), *kept)


def _health(config: ContainerConfig, image: ImageConfig) -> HealthConfig | None:
    inherited = image.healthcheck
    if inherited is None:
        return None
    own = config.healthcheck if isinstance(config.healthcheck, HealthConfig) else HealthConfig()
    return HealthConfig(
        test=own.test or inherited.test,
        interval=own.interval or inherited.interval,
        timeout=own.timeout or inherited.timeout,
        start_period=own.start_period or inherited.start_period,
        start_interval=own.start_interval or inherited.start_interval,
        retries=own.retries or inherited.retries,
    )
