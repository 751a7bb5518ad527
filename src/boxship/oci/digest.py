"""Content digests: ``algorithm:hex``, as the OCI image specification writes them."""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

_FORMAT = re.compile(r"[a-z0-9]+(?:[.+_-][a-z0-9]+)*:[a-zA-Z0-9=_-]+")
_LOWER_HEX = re.compile(r"[a-f0-9]+")


class Hasher(Protocol):
    """What ``hashlib`` gives."""

    def update(self, data: bytes | bytearray | memoryview, /) -> None: ...
    def hexdigest(self) -> str: ...


_NEW: dict[str, Callable[[], Hasher]] = {
    "sha256": hashlib.sha256,
    "sha384": hashlib.sha384,
    "sha512": hashlib.sha512,
}
_HEX_LENGTH = {"sha256": 64, "sha384": 96, "sha512": 128}


class DigestError(ValueError):
    """The text is no digest; ``str(error)`` says what is wrong in the words Docker uses."""


@dataclass(frozen=True, slots=True, order=True)
class Digest:
    """The name of some bytes: whoever has the bytes can check it."""

    algorithm: str
    hex: str

    @classmethod
    def parse(cls, text: str) -> "Digest":
        """Read ``sha256:<64 hex digits>`` (or sha384, sha512)."""
        if _FORMAT.fullmatch(text) is None:
            raise DigestError("invalid checksum digest format")
        algorithm, _, encoded = text.partition(":")
        length = _HEX_LENGTH.get(algorithm)
        if length is None:
            raise DigestError("unsupported digest algorithm")
        if len(encoded) != length:
            raise DigestError("invalid checksum digest length")
        if _LOWER_HEX.fullmatch(encoded) is None:
            raise DigestError("invalid checksum digest format")
        return cls(algorithm, encoded)

    @classmethod
    def of(cls, data: bytes | bytearray | memoryview, algorithm: str = "sha256") -> "Digest":
        """Compute the digest of ``data``."""
        hasher = new_hasher(algorithm)
        hasher.update(data)
        return cls(algorithm, hasher.hexdigest())

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.hex}"

    @property
    def short(self) -> str:
        """The twelve digits people see."""
        return self.hex[:12]


def new_hasher(algorithm: str = "sha256") -> Hasher:
    """Start a digest of a stream."""
    return _NEW[algorithm]()
