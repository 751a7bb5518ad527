"""RSA signatures with SHA-256 (RS256, RFC 8017 section 8.2), of what few lines can do.

The standard library has none, and a sender is not to load more than that. A service account's key
signs one request for a token in an hour, sent to Google over TLS: nobody can measure the time that
it takes, which is all that a library would do better.
"""

import base64
import hashlib
from typing import Final, NamedTuple

_SHA256_PREFIX: Final = bytes.fromhex("3031300d060960864801650304020105000420")
_INTEGER: Final = 0x02
_SEQUENCE: Final = 0x30


class PrivateKey(NamedTuple):
    """The modulus and the private exponent."""

    modulus: int
    exponent: int


def read_private_key(pem: str) -> PrivateKey:
    """Read a key in PEM, PKCS #8 or PKCS #1. ValueError."""
    lines = [line.strip() for line in pem.strip().splitlines()]
    if len(lines) < 3 or not lines[0].startswith("-----BEGIN") or "PRIVATE KEY" not in lines[0]:
        raise ValueError("this is no private key in PEM")
    try:
        der = base64.b64decode("".join(lines[1:-1]))
    except ValueError as error:
        raise ValueError(f"this is no private key in PEM: {error}") from error
    parts = _parts(_only(der, _SEQUENCE))
    if "RSA" not in lines[0]:  # PKCS #8: version, algorithm, the key as octets
        parts = _parts(_only(parts[2][1], _SEQUENCE)) if len(parts) > 2 else []
    numbers = [int.from_bytes(data, "big") for tag, data in parts if tag == _INTEGER]
    if len(numbers) < 4:
        raise ValueError("this is no RSA key")
    return PrivateKey(numbers[1], numbers[3])


def sign(key: PrivateKey, message: bytes) -> bytes:
    """Return the signature of a message."""
    length = (key.modulus.bit_length() + 7) // 8
    digest = _SHA256_PREFIX + hashlib.sha256(message).digest()
    padded = b"\x00\x01" + b"\xff" * (length - len(digest) - 3) + b"\x00" + digest
    return pow(int.from_bytes(padded, "big"), key.exponent, key.modulus).to_bytes(length, "big")


def _only(data: bytes, tag: int) -> bytes:
    parts = _parts(data)
    if not parts or parts[0][0] != tag:
        raise ValueError("this is no private key")
    return parts[0][1]


def _parts(data: bytes) -> list[tuple[int, bytes]]:
    """Return tags and contents of DER that follow each other. ValueError."""
    parts = []
    while data:
        if len(data) < 2:
            raise ValueError("the key is cut off")
        tag, length, at = data[0], data[1], 2
        if length & 0x80:
            at += length & 0x7F
            length = int.from_bytes(data[2:at], "big")
        if len(data) < at + length:
            raise ValueError("the key is cut off")
        parts.append((tag, data[at : at + length]))
        data = data[at + length :]
    return parts
