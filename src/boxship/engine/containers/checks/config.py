"""The portable part of a container: environment, working directory, signals, health, ports."""

from boxship.base.errors import InvalidArgumentError
from boxship.engine.containers.health.settings import check_test
from boxship.engine.containers.signals import parse_signal
from boxship.engine.networks.portwishes import exposed_of
from boxship.model.container import ContainerConfig, HealthConfig

_HOSTNAME_LIMIT = 64
_MILLISECOND = 1_000_000


def check(config: ContainerConfig) -> None:
    """Raise InvalidArgumentError."""
    if config.working_dir and not config.working_dir.startswith("/"):
        raise InvalidArgumentError(
            f"the working directory '{config.working_dir}' is invalid, "
            "it needs to be an absolute path"
        )
    for variable in config.env or ():
        if not variable or variable.startswith("="):
            raise InvalidArgumentError(f"invalid environment variable: {variable}")
        if "\0" in variable:
            raise InvalidArgumentError("an environment variable contains a NUL byte")
    for word in (*(config.entrypoint or ()), *(config.cmd or ())):
        if "\0" in word:
            raise InvalidArgumentError("the command contains a NUL byte")
    if config.stop_signal:
        parse_signal(str(config.stop_signal))
    if len(config.hostname.encode()) > _HOSTNAME_LIMIT or "\0" in config.hostname:
        raise InvalidArgumentError(f"invalid hostname: {config.hostname}")
    if isinstance(config.healthcheck, HealthConfig):
        _check_health(config.healthcheck)
        check_test(config.healthcheck.test)
    exposed_of(config)


def _check_health(health: HealthConfig) -> None:
    for name, value in (
        ("Interval", health.interval),
        ("Timeout", health.timeout),
        ("StartPeriod", health.start_period),
        ("StartInterval", health.start_interval),
    ):
        if value != 0 and value < _MILLISECOND:
            raise InvalidArgumentError(f"{name} in Healthcheck cannot be less than 1ms")
    if health.retries < 0:
        raise InvalidArgumentError("Retries in Healthcheck cannot be negative")
