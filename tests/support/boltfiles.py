"""Write bbolt databases, by the description of their format; they hold what a test says."""

import struct
from collections.abc import Mapping, Sequence
from typing import TypeAlias

PAGE = 4096
META, LEAF, BRANCH = 4, 2, 1
BUCKET = 1

Tree: TypeAlias = Mapping[bytes, "Tree | bytes"]
Item = tuple[bytes, bytes, int]
"""Key, value, flags."""


def database(tree: Tree) -> bytes:
    """A file whose buckets are dictionaries; all of it in one leaf."""
    body = leaf(*items(tree))
    overflow = (16 + len(body)) // PAGE
    return b"".join([
        meta(0, 3, 6), meta(1, 3, 5), page(2, 16, 0, b""), page(3, LEAF, len(tree), body, overflow)
    ])  # fmt: skip


def items(tree: Tree) -> Sequence[Item]:
    return [
        (key, value, 0) if isinstance(value, bytes) else (key, inline(*items(value)), BUCKET)
        for key, value in sorted(tree.items())
    ]


def page(number: int, flags: int, count: int, body: bytes, overflow: int = 0) -> bytes:
    whole = struct.pack("<QHHI", number, flags, count, overflow) + body
    return whole.ljust((1 + overflow) * PAGE, b"\0")


def fnv1a(data: bytes) -> int:
    value = 14695981039346656037
    for byte in data:
        value = ((value ^ byte) * 1099511628211) % 2**64
    return value


def meta(number: int, root: int, transaction: int, *, checksum: int | None = None) -> bytes:
    body = struct.pack("<IIIIQQQQQ", 0xED0CDAED, 2, PAGE, 0, root, 0, 2, 9, transaction)
    return page(number, META, 0, body + struct.pack("<Q", checksum or fnv1a(body)))


def leaf(*of: Item) -> bytes:
    """The elements of a leaf."""
    heads, data = b"", b""
    for number, (key, value, flags) in enumerate(of):
        at = 16 * (len(of) - number) + len(data)
        heads += struct.pack("<IIII", flags, at, len(key), len(value))
        data += key + value
    return heads + data


def branch(*of: tuple[bytes, int]) -> bytes:
    """The elements of a branch: keys, and the pages where they begin."""
    heads, data = b"", b""
    for number, (key, below) in enumerate(of):
        at = 16 * (len(of) - number) + len(data)
        heads += struct.pack("<IIQ", at, len(key), below)
        data += key
    return heads + data


def bucket(root: int) -> bytes:
    """The value of a bucket that begins at a page; 0: it follows."""
    return struct.pack("<QQ", root, 0)


def inline(*of: Item) -> bytes:
    """The value of a bucket that stands in its parent's page."""
    return bucket(0) + struct.pack("<QHHI", 0, LEAF, len(of), 0) + leaf(*of)
