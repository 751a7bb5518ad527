"""How options' values are read: truth values and durations as in Go, addresses as URLs."""

from typing import Final, NamedTuple
from urllib.parse import unquote, urlsplit

from boxship.base.moments import parse_duration

_TRUE: Final = frozenset({"1", "t", "T", "true", "TRUE", "True"})


class Address(NamedTuple):
    """Where a target listens: a host and a port, or a path (``unix``, ``unixgram``)."""

    scheme: str
    host: str = ""
    port: int = 0
    path: str = ""

    def __str__(self) -> str:
        return self.path or f"{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"


def read_address(text: str, *, scheme: str, port: int) -> Address:
    """Read ``scheme://host:port``, ``host``, ``unix:///path``; what is missing is given."""
    parts = urlsplit(text if "://" in text else f"{scheme}://{text}")
    if parts.scheme.startswith("unix"):
        return Address(parts.scheme, path=unquote(parts.netloc + parts.path))
    return Address(parts.scheme, parts.hostname or "", port if parts.port is None else parts.port)


def read_truth(text: str | None) -> bool:
    """Whether an option is on; one that is not given is not."""
    return text in _TRUE


def read_seconds(text: str | None, default: float) -> float:
    """Return the seconds of a duration such as ``1.5s``; ``default`` for none."""
    return parse_duration(text) / 1e9 if text else default


def reason(error: Exception) -> str:
    """Return what an error says, without its number."""
    text = error.strerror if isinstance(error, OSError) else None
    return text or str(error) or type(error).__name__
