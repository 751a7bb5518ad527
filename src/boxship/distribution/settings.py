"""What the administrator decides about registries."""

from collections.abc import Mapping
from dataclasses import dataclass, field

CERT_DIRECTORIES = ("/etc/boxship/certs.d", "/etc/docker/certs.d")


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds. ``read`` bounds the silence between two pieces of an answer, not the whole of it."""

    connect: float = 15.0
    read: float = 60.0


@dataclass(frozen=True, slots=True)
class Retries:
    """How often one request is tried, and the pauses between: they double, with jitter.

    ``longest`` bounds a pause, also one that a registry asks for by Retry-After: what wants more
    is told to the caller at once.
    """

    attempts: int = 5
    first: float = 0.5
    longest: float = 30.0


@dataclass(frozen=True, slots=True)
class Proxies:
    """URLs of proxies; ``no_proxy`` as in the environment: ``host,.domain,10.0.0.0/8,*``."""

    http: str = field(default="", repr=False)
    https: str = field(default="", repr=False)
    no_proxy: str = ""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Proxies":
        """Read ``HTTP_PROXY`` and its kin; the lower-case form is looked at second, as Go does."""
        get = environment.get
        return cls(
            http=get("HTTP_PROXY") or get("http_proxy") or "",
            https=get("HTTPS_PROXY") or get("https_proxy") or "",
            no_proxy=get("NO_PROXY") or get("no_proxy") or "",
        )


@dataclass(frozen=True, slots=True)
class RegistrySettings:
    """``mirrors`` are of Docker Hub; ``insecure`` holds hosts, ``host:port`` and CIDR blocks.

    ``cert_directories`` hold a directory per registry, with certificates and ``hosts.toml``.
    """

    mirrors: tuple[str, ...] = ()
    insecure: tuple[str, ...] = ()
    cert_directories: tuple[str, ...] = CERT_DIRECTORIES
    timeouts: Timeouts = Timeouts()
    retries: Retries = Retries()
    proxies: Proxies = Proxies()
