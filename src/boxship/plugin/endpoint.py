"""Where a plugin listens: addresses as spec files write them; pure."""

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from boxship.base.errors import InvalidArgumentError

_FORMS = "unix:///path, tcp://host:port, http://host:port or https://host:port"


@dataclass(frozen=True, slots=True)
class PluginTls:
    """TLS of an endpoint: paths of PEM files. Without ``ca`` nothing is verified, as in Docker."""

    ca: str = ""
    certificate: str = ""
    key: str = ""
    verify: bool = True


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A unix socket (``path``), or ``host`` and ``port`` of TCP."""

    path: str = ""
    host: str = ""
    port: int = 0
    tls: PluginTls | None = field(default=None)

    def __str__(self) -> str:
        if self.path:
            return self.path
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.tls else 'tcp'}://{host}:{self.port}"


def parse_endpoint(text: str, tls: PluginTls | None = None) -> Endpoint:
    """Read an address. InvalidArgumentError: it is none."""
    try:
        url = urlsplit(text.strip())
        port = url.port or 0
    except ValueError:
        raise InvalidArgumentError(f"{text!r} is not a plugin's address: {_FORMS}") from None
    if url.scheme == "unix" and url.path.startswith("/") and not url.netloc:
        return Endpoint(path=url.path)
    if url.scheme in {"tcp", "http", "https"} and url.hostname:
        if url.scheme == "https":
            port, tls = port or 443, tls or PluginTls()
        if port:
            return Endpoint(host=url.hostname, port=port, tls=tls)
    raise InvalidArgumentError(f"{text!r} is not a plugin's address: {_FORMS}")
