"""Domain names as they travel (RFC 1035 section 3.1): length-prefixed labels, here uncompressed.

A lower-case wire name is the key of everything in this package. A question's bytes are one
already, but for their case, so looking a name up decodes nothing. Lower-casing the whole is safe:
a length is below 64, and ASCII's letters begin at 65.
"""

import socket

_MAX_LABEL = 63
_MAX_NAME = 255


def to_wire(name: str) -> bytes | None:
    """Return ``name`` as a lower-case wire name; None if it can't be a domain name."""
    parts = []
    for label in name.removesuffix(".").encode("utf-8", "surrogateescape").lower().split(b"."):
        if not 0 < len(label) <= _MAX_LABEL:
            return None
        parts.append(bytes((len(label),)) + label)
    wire = b"".join(parts) + b"\0"
    return wire if len(wire) <= _MAX_NAME else None


def to_text(wire: bytes) -> str:
    """Return a wire name for people and for matching: labels with dots between, no final one."""
    labels, at = [], 0
    while (length := wire[at]) != 0:
        labels.append(wire[at + 1 : at + 1 + length])
        at += 1 + length
    return b".".join(labels).decode("utf-8", "backslashreplace")


def reverse(address: bytes) -> bytes:
    """Return the wire name under which a packed address is looked up backwards (PTR)."""
    if len(address) == 4:
        labels, suffix = [str(part) for part in reversed(address)], "in-addr.arpa"
    else:
        labels, suffix = list(reversed(address.hex())), "ip6.arpa"
    return to_wire(f"{'.'.join(labels)}.{suffix}") or b"\0"


def packed(address: str) -> bytes:
    """Return an IPv4 or IPv6 address as its 4 or 16 bytes; ``OSError`` if it is none."""
    return socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)


def is_address(text: str) -> bool:
    """Tell whether it is an address, with or without an interface behind ``%``."""
    try:
        packed(text.partition("%")[0])
    except (OSError, ValueError):  # the latter for a NUL inside
        return False
    return True
