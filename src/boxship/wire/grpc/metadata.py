"""Metadata of a call: names with values, several of one name in their order.

Names that end in ``-bin`` have bytes as values, which travel as base64; all others have text. Text
that isn't UTF-8 survives the way there and back.
"""

import base64
import binascii
from collections.abc import Iterable, Iterator, Mapping

Pairs = list[tuple[bytes, bytes]]

_UNITS = {"H": 3600.0, "M": 60.0, "S": 1.0, "m": 1e-3, "u": 1e-6, "n": 1e-9}
_RESERVED = frozenset({"content-type", "te", "user-agent", "connection"})


class Metadata(Mapping[str, tuple[str, ...]]):
    """Text metadata by name, in lower case; ``binary`` has the other kind."""

    def __init__(self, values: Mapping[str, Iterable[str]] | None = None) -> None:
        self._values = {name.lower(): tuple(members) for name, members in (values or {}).items()}
        self.binary: dict[str, tuple[bytes, ...]] = {}

    def __getitem__(self, name: str) -> tuple[str, ...]:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def first(self, name: str) -> str:
        """Return the first value of a name, empty if there is none."""
        return self._values.get(name, ("",))[0]


def from_headers(headers: Iterable[tuple[bytes, bytes]]) -> Metadata:
    """Read what came in a header or trailer block; pseudo-headers are left out."""
    texts: dict[str, list[str]] = {}
    binary: dict[str, list[bytes]] = {}
    for raw, value in headers:
        name = raw.decode("latin-1")
        if name.startswith(":"):
            continue
        if name.endswith("-bin"):
            binary.setdefault(name, []).extend(_unpacked(value))
        else:
            texts.setdefault(name, []).append(value.decode("utf-8", "surrogateescape"))
    metadata = Metadata(texts)
    metadata.binary = {name: tuple(values) for name, values in binary.items()}
    return metadata


def to_headers(metadata: Mapping[str, Iterable[str]]) -> Pairs:
    """Return the pairs for a header block; names that HTTP itself needs are left out."""
    return [
        (name.encode("latin-1"), value.encode("utf-8", "surrogateescape"))
        for name, values in metadata.items()
        if name not in _RESERVED and not name.startswith((":", "grpc-"))
        for value in values
    ]


def binary_header(value: bytes) -> bytes:
    """Return bytes as a ``-bin`` header has them: base64 without padding."""
    return base64.b64encode(value).rstrip(b"=")


def seconds(timeout: str) -> float | None:
    """Read ``grpc-timeout``, digits and a unit; None for what isn't one."""
    unit = _UNITS.get(timeout[-1:])
    if unit is None or not timeout[:-1].isdigit():
        return None
    return int(timeout[:-1]) * unit


def _unpacked(value: bytes) -> list[bytes]:
    values = []
    for part in value.split(b","):
        try:
            values.append(base64.b64decode(part + b"=" * (-len(part) % 4)))
        except binascii.Error:
            continue
    return values
