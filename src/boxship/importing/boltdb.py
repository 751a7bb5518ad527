"""Read a bbolt database, of which dockerd has a few; pure, over the file's bytes.

::

    page      id:u64 flags:u16 count:u16 overflow:u32, then by its kind
      meta    (the first two) magic:u32 version:u32 page size:u32 flags:u32
              root page:u64 sequence:u64 freelist:u64 pages:u64 transaction:u64 checksum:u64
      branch  count times (key at:u32 key size:u32 page:u64)
      leaf    count times (flags:u32 key at:u32 key size:u32 value size:u32); flag 1: a bucket
    bucket    root page:u64 sequence:u64; root 0: a leaf page stands right behind it

Little-endian; what an element has is ``at`` bytes behind its own beginning. Of the two metas the
one of the later transaction counts, if its checksum (FNV-1a) is right; so a file that a killed
process left is always whole. (go.etcd.io/bbolt, page.go and db.go, file format version 2.)
"""

import struct
from collections.abc import Iterator
from typing import NamedTuple

from boxship.base.errors import InternalError

_PAGE = struct.Struct("<QHHI")
_META = struct.Struct("<IIIIQQQQQQ")
_BRANCH = struct.Struct("<IIQ")
_LEAF = struct.Struct("<IIII")
_BUCKET = struct.Struct("<QQ")

_MAGIC, _VERSION = 0xED0CDAED, 2
_IS_BRANCH, _IS_LEAF = 1, 2
_IS_BUCKET = 1
_SIZES = tuple(512 << n for n in range(8))
"""Sizes of pages that there are: the second meta is one page behind the first."""
_DEEPEST = 64
_FNV_OFFSET, _FNV_PRIME = 0xCBF29CE484222325, 0x100000001B3


class DamagedDatabaseError(InternalError):
    """The file is not what bbolt writes."""


class _Meta(NamedTuple):
    transaction: int
    page_size: int
    root: int


class _Element(NamedTuple):
    key: bytes
    value: memoryview
    is_bucket: bool


def pairs(data: bytes, *path: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield keys and values of the bucket at ``path``, by key; nothing if there is none.

    DamagedDatabaseError.
    """
    return ((each.key, bytes(each.value)) for each in _inside(data, path) if not each.is_bucket)


def buckets(data: bytes, *path: bytes) -> Iterator[bytes]:
    """Yield the names of the buckets in one, likewise. DamagedDatabaseError."""
    return (each.key for each in _inside(data, path) if each.is_bucket)


def _inside(data: bytes, path: tuple[bytes, ...]) -> Iterator[_Element]:
    view = memoryview(data)
    try:
        meta = _newest_meta(view)
        reader = _Reader(view, meta.page_size)
        elements = reader.tree(meta.root, _DEEPEST)
        for name in path:
            found = next((e for e in elements if e.is_bucket and e.key == name), None)
            if found is None:
                return
            elements = reader.bucket(found.value)
        yield from elements
    except struct.error as error:
        raise DamagedDatabaseError(f"it ends where something should be: {error}") from error


def _newest_meta(view: memoryview) -> _Meta:
    found = [meta for at in (0, *_SIZES) if (meta := _meta(view, at)) is not None]
    if not found:
        raise DamagedDatabaseError("there is no valid page of metadata in it")
    return max(found)


def _meta(view: memoryview, at: int) -> _Meta | None:
    start = at + _PAGE.size
    if start + _META.size > len(view):
        return None
    magic, version, size, _, root, _, _, _, transaction, checksum = _META.unpack_from(view, start)
    if (magic, version) != (_MAGIC, _VERSION) or at not in (0, size):
        return None
    if _fnv(view[start : start + _META.size - 8]) != checksum:
        return None
    return _Meta(transaction, size, root)


def _fnv(data: memoryview) -> int:
    value = _FNV_OFFSET
    for byte in data:
        value = (value ^ byte) * _FNV_PRIME & 0xFFFFFFFFFFFFFFFF
    return value


class _Reader:
    def __init__(self, view: memoryview, page_size: int) -> None:
        self._view = view
        self._page_size = page_size

    def tree(self, page: int, depth: int) -> Iterator[_Element]:
        """Yield the elements of the leaves below a page."""
        _, _, _, overflow = _PAGE.unpack_from(self._view, page * self._page_size)
        end = (page + 1 + overflow) * self._page_size
        yield from self._elements(self._view[page * self._page_size : end], depth)

    def bucket(self, value: memoryview) -> Iterator[_Element]:
        root, _ = _BUCKET.unpack_from(value)
        if root:
            yield from self.tree(root, _DEEPEST)
        else:
            yield from self._elements(value[_BUCKET.size :], _DEEPEST)

    def _elements(self, page: memoryview, depth: int) -> Iterator[_Element]:
        _, flags, count, _ = _PAGE.unpack_from(page)
        if flags & _IS_LEAF:
            for number in range(count):
                yield _leaf(page, _PAGE.size + number * _LEAF.size)
        elif flags & _IS_BRANCH and depth:
            for number in range(count):
                _, _, below = _BRANCH.unpack_from(page, _PAGE.size + number * _BRANCH.size)
                yield from self.tree(below, depth - 1)
        else:
            raise DamagedDatabaseError("a page of it is neither branch nor leaf")


def _leaf(page: memoryview, at: int) -> _Element:
    flags, start, key_size, value_size = _LEAF.unpack_from(page, at)
    key, end = at + start, at + start + key_size + value_size
    if end > len(page):
        raise DamagedDatabaseError("an element of it reaches beyond its page")
    return _Element(
        bytes(page[key : key + key_size]), page[key + key_size : end], bool(flags & _IS_BUCKET)
    )
