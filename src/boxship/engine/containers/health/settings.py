"""Which health check a container's config asks for, with Docker's defaults; pure.

``Test`` begins with its kind. Docker knows the first three, the others are our own::

    NONE                        no check, not even the image's
    CMD word…                   a command
    CMD-SHELL text              a command for the container's shell
    HTTP [address]:port[/path]  answers a GET with a status from 200 to 399
    TCP [address]:port          takes a connection
    GRPC [address]:port[/name]  says SERVING of the service (grpc.health.v1)

Without address it is 127.0.0.1, seen from within the container.
"""

from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address, ip_address

from boxship.base.errors import InvalidArgumentError
from boxship.model.container import ContainerConfig, HealthConfig

_INTERVAL_NS = 30 * 10**9
_TIMEOUT_NS = 30 * 10**9
_START_INTERVAL_NS = 5 * 10**9
_RETRIES = 3
_SHELL = ("/bin/sh", "-c")
_LAST_PORT = 65535


class Native(StrEnum):
    """Probes that need nothing in the image."""

    HTTP = "HTTP"
    TCP = "TCP"
    GRPC = "GRPC"


@dataclass(frozen=True)
class Target:
    """Where a native probe connects to; ``path`` is what follows the port, with its slash."""

    address: IPv4Address | IPv6Address
    port: int
    path: str = ""

    @property
    def authority(self) -> str:
        """Address and port as in a URL."""
        host = f"[{self.address}]" if self.address.version == 6 else str(self.address)
        return f"{host}:{self.port}"


@dataclass(frozen=True)
class NativeProbe:
    kind: Native
    target: Target


@dataclass(frozen=True)
class Command:
    words: tuple[str, ...]


@dataclass(frozen=True)
class HealthCheck:
    """What to do and when; durations are nanoseconds."""

    probe: Command | NativeProbe
    interval_ns: int = _INTERVAL_NS
    timeout_ns: int = _TIMEOUT_NS
    start_period_ns: int = 0
    start_interval_ns: int = _START_INTERVAL_NS
    retries: int = _RETRIES


def health_check(config: ContainerConfig) -> HealthCheck | None:
    """Return the check of a merged config; None: there is none, or it is of an unknown kind."""
    asked = config.healthcheck
    if not isinstance(asked, HealthConfig) or not asked.test:
        return None
    probe = _probe(config, asked.test)
    if probe is None:
        return None
    return HealthCheck(
        probe,
        interval_ns=asked.interval or _INTERVAL_NS,
        timeout_ns=asked.timeout or _TIMEOUT_NS,
        start_period_ns=asked.start_period,
        start_interval_ns=asked.start_interval or _START_INTERVAL_NS,
        retries=asked.retries or _RETRIES,
    )


def check_test(test: tuple[str, ...] | None) -> None:
    """Raise InvalidArgumentError for a native probe that says nothing sensible."""
    if not test or test[0] not in set(Native):
        return
    if len(test) != 2:
        raise InvalidArgumentError(
            f"Test in Healthcheck: {test[0]} takes one word such as :80, not {len(test) - 1}"
        )
    target = parse_target(test[1])
    if test[0] == Native.TCP and target.path:
        raise InvalidArgumentError(f"Test in Healthcheck: {test[1]}: TCP knows no path")


def is_unknown(test: tuple[str, ...]) -> bool:
    """Tell whether nobody knows this kind of check; Docker takes it and checks nothing."""
    return test[0] not in {"NONE", "CMD", "CMD-SHELL", *Native}


def parse_target(text: str) -> Target:
    """Read ``:80/path``, ``10.0.0.5:80`` or ``[::1]:80``. InvalidArgumentError."""
    end, slash, path = text.partition("/")
    host, colon, port = end.rpartition(":")
    bad = InvalidArgumentError(
        f"Test in Healthcheck: '{text}' is not [address]:port, as :80 or 10.0.0.5:80"
    )
    if not colon or not port.isascii() or not port.isdigit() or not 0 < int(port) <= _LAST_PORT:
        raise bad
    if any(ord(character) <= 0x20 or ord(character) == 0x7F for character in text):
        raise bad  # it is to stand in the line of a request
    try:
        address = ip_address(host.removeprefix("[").removesuffix("]") or "127.0.0.1")
    except ValueError:
        raise bad from None
    return Target(address, int(port), f"{slash}{path}")


def _probe(config: ContainerConfig, test: tuple[str, ...]) -> Command | NativeProbe | None:
    kind, words = test[0], test[1:]
    if kind == "CMD":
        return Command(words)
    if kind == "CMD-SHELL":
        return Command((*(config.shell or _SHELL), *words))
    if kind in set(Native) and words:
        return NativeProbe(Native(kind), parse_target(words[0]))
    return None
