"""Pax extended headers: ``length key=value\\n`` records that override a header's fields.

Global records (type ``g``) are kept in the framing but not applied: Docker and containerd, through
Go's archive/tar, ignore them, and an image must unpack alike everywhere.
"""

import re

from boxship.storage.tar.header import Extent, TarError

Records = dict[bytes, bytes]

_TIME = re.compile(rb"(-?)(\d+)(?:\.(\d*))?")
_XATTR = b"SCHILY.xattr."
_NAMES = frozenset({b"path", b"linkpath", b"uname", b"gname"})


def parse_records(payload: bytes) -> Records:
    """Read a payload. Sparse maps in the 0.0 form (repeated keys) are turned into the 0.1 form."""
    records: Records = {}
    sparse: list[bytes] = []
    at = 0
    while at < len(payload):
        key, value, at = _record(payload, at)
        if key in (b"GNU.sparse.offset", b"GNU.sparse.numbytes"):
            sparse.append(value)
        else:
            records[key] = value
    if sparse:
        records[b"GNU.sparse.map"] = b",".join(sparse)
    return records


def _record(payload: bytes, at: int) -> tuple[bytes, bytes, int]:
    space = payload.find(b" ", at, at + 12)
    digits = payload[at:space] if space > 0 else b""
    if not digits.isdigit():
        raise TarError("malformed pax header: a record has no length")
    end = at + int(digits)
    key, equals, value = payload[space + 1 : end - 1].partition(b"=")
    if end > len(payload) or payload[end - 1 : end] != b"\n" or not equals or not key:
        raise TarError("malformed pax header: a record does not end where it says")
    if b"\0" in (value if key in _NAMES else key):
        raise TarError("malformed pax header: a name with NUL in it")
    return key, value, end


def integer(records: Records, key: bytes, default: int) -> int:
    """Return a decimal record, ``default`` if absent or empty."""
    text = records.get(key)
    if not text:
        return default
    if not re.fullmatch(rb"-?\d{1,19}", text):
        raise TarError(f"malformed pax header: {key.decode()} is not a number")
    return int(text)


def time_ns(records: Records, key: bytes, default: int) -> int:
    """Return a time record (decimal seconds) as nanoseconds; digits beyond nine are cut off."""
    text = records.get(key)
    if not text:
        return default
    match = _TIME.fullmatch(text)
    if match is None or len(match[2]) > 18:
        raise TarError(f"malformed pax header: {key.decode()} is not a time")
    ns = int(match[2]) * 1_000_000_000 + int((match[3] or b"").ljust(9, b"0")[:9])
    return -ns if match[1] else ns


def xattrs(records: Records) -> dict[str, bytes]:
    """Return the extended attributes among the records."""
    return {
        key[len(_XATTR) :].decode(errors="surrogateescape"): value
        for key, value in records.items()
        if key.startswith(_XATTR)
    }


def comma_map(records: Records) -> list[Extent] | None:
    """Return the sparse map of the 0.x forms, None if there is none."""
    text = records.get(b"GNU.sparse.map")
    if text is None:
        return None
    numbers = text.split(b",") if text else []
    if len(numbers) % 2 or not all(n.isdigit() and len(n) < 20 for n in numbers):
        raise TarError("malformed pax header: bad sparse map")
    values = [int(n) for n in numbers]
    return list(zip(values[::2], values[1::2], strict=True))
