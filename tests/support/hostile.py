"""Archives and documents made by somebody who means harm, or by accident: hypothesis strategies.

Tar entries are built from raw header fields, so that they can say what no tool would write: owners
in base 256, negative sizes, sparse maps past the end, names that lead out, links in a circle.
"""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from hypothesis import strategies as st

BLOCK = 512
NAMES = (
    b"a", b"b", b"a/b", b"a/b/c", b"d/", b"l", b"l/x", b"l/l/l", b"../x", b"/abs", b"a/../../../x",
    b"..", b".", b"", b"/", b"./", b".wh.a", b".wh..wh..opq", b"a/.wh..wh..opq", b".wh.", b".wh...",
    b".wh..wh.plnk/x", b"a/.wh.b", b"\xff\xfe", b"x" * 99, b"n/" * 40 + b"end", b"\n", b"%s",
)  # fmt: skip
LONG_NAMES = (b"x" * 300, b"d/" * 700 + b"end", b"y" * 70_000, b"n\0ul", b"../" * 30 + b"out")
TARGETS = (
    b"a", b"b", b"l", b"l/x", b"../..", b"/", b"", b".", b"/etc/passwd", b"/proc/self/root",
    b"../../../../../tmp", b"\xff", b"t" * 99,
)  # fmt: skip
TYPES = [bytes([byte]) for byte in b"0001123455567SLKxxgVDM\0Z"]
EXTENSIONS = b"LKxg"

odd_numbers = st.sampled_from(
    [b"0", b"7", b"777", b"7777777", b"", b"   1 ", b"9", b"-1", b"x", b"1\0002", b"00000000000"]
) | st.integers(-(2**70), 2**70).map(
    lambda value: ((1 << 95) | (value & ((1 << 95) - 1))).to_bytes(12, "big")
)
octals = st.integers(0, 0o7777777).map(lambda value: b"%o" % value)
records = st.dictionaries(
    st.sampled_from(
        [
            "path",
            "linkpath",
            "size",
            "uid",
            "gid",
            "mtime",
            "atime",
            "comment",
            "hdrcharset",
            "SCHILY.xattr.user.a",
            "SCHILY.xattr.",
            "SCHILY.xattr.security.capability",
            "SCHILY.xattr.trusted.overlay.redirect",
            "SCHILY.xattr.system.posix_acl_access",
            "SCHILY.xattr.nonsense",
            "SCHILY.xattr.user.\0",
            "GNU.sparse.major",
            "GNU.sparse.minor",
            "GNU.sparse.map",
            "GNU.sparse.size",
            "GNU.sparse.realsize",
            "GNU.sparse.name",
            "GNU.sparse.offset",
            "GNU.sparse.numbytes",
        ]
    ),
    st.sampled_from(
        [
            b"",
            b"0",
            b"1",
            b"-1",
            b"5",
            b"512",
            b"99999999999999999999",
            b"1.5",
            b"-3.25",
            b"1e9",
            b"0,1,2,3",
            b"0,512",
            b"5,5,0,5",
            b"0,99999999999",
            b"x",
            b"\0",
            b"\xff",
            *LONG_NAMES,
            *TARGETS,
            *NAMES,
        ]
    ),
    max_size=3,
)


def header(kind: bytes, name: bytes, link: bytes = b"", size: bytes = b"0", **raw: bytes) -> bytes:
    """A block with a right checksum; `raw` are mode, uid, gid, mtime, major, minor as written."""
    block = bytearray(BLOCK)
    block[0:100] = name[:100].ljust(100, b"\0")
    for at, width, field, default in (
        (100, 8, "mode", b"0000644"), (108, 8, "uid", b"0"), (116, 8, "gid", b"0"),
        (136, 12, "mtime", b"0"), (329, 8, "major", b"0"), (337, 8, "minor", b"0"),
    ):  # fmt: skip
        block[at : at + width] = _fitted(raw.get(field, default), width)
    block[124:136] = _fitted(size, 12)
    block[156:157] = kind
    block[157:257] = link[:100].ljust(100, b"\0")
    block[257:265] = raw.get("magic", b"ustar\x0000")
    tail = raw.get("tail", b"")
    block[386 : 386 + len(tail)] = tail
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def _fitted(text: bytes, width: int) -> bytes:
    if text[:1] >= b"\x80":  # base 256: the low end matters
        return bytes([text[0]]) + text[-(width - 1) :]
    return text[:width].ljust(width, b"\0")


def extension(kind: bytes, payload: bytes) -> bytes:
    return header(kind, b"ext", size=b"%o" % len(payload)) + padded(payload)


def pax(given: dict[str, bytes]) -> bytes:
    """An extended header with these records, whatever is in them."""
    lines = b""
    for key, value in given.items():
        body = b" " + key.encode(errors="surrogateescape") + b"=" + value + b"\n"
        length = len(body) + 1
        while len(b"%d" % length) + len(body) != length:
            length = len(b"%d" % length) + len(body)
        lines += b"%d" % length + body
    return extension(b"x", lines)


def padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % BLOCK)


@st.composite
def entries(draw: st.DrawFn) -> bytes:
    """One entry, with its extended headers and a payload that may not fit its size."""
    kind = draw(st.sampled_from(TYPES))
    before = b""
    if draw(st.booleans()) and draw(st.booleans()):
        before += pax(draw(records))
    if draw(st.integers(0, 9)) == 0:
        before += extension(draw(st.sampled_from([b"L", b"K"])), draw(st.sampled_from(LONG_NAMES)))
    if kind[0] in EXTENSIONS:
        return before + extension(kind, draw(st.binary(max_size=40)))
    payload = draw(st.binary(max_size=600)) if kind in b"07S\0DZ" else b""
    truthful = draw(st.integers(0, 4)) > 0
    size = b"%o" % len(payload) if truthful else draw(odd_numbers)
    raw = {
        field: draw(octals if draw(st.integers(0, 3)) else odd_numbers)
        for field in draw(
            st.sets(st.sampled_from(["mode", "uid", "gid", "mtime", "major", "minor"]))
        )
    }
    if kind == b"S" or draw(st.integers(0, 19)) == 0:
        raw["magic"] = b"ustar  \0"
        raw["tail"] = draw(st.binary(max_size=120) | st.just(b""))
    name, link = draw(st.sampled_from(NAMES)), draw(st.sampled_from(TARGETS))
    return before + header(kind, name, link, size, **raw) + padded(payload)


@st.composite
def archives(draw: st.DrawFn) -> bytes:
    """A whole archive; sometimes cut off, sometimes with bytes changed."""
    data = b"".join(draw(st.lists(entries(), max_size=6))) + bytes(2 * BLOCK)
    match draw(st.integers(0, 9)):
        case 0:
            return data[: draw(st.integers(0, len(data)))]
        case 1:
            at = draw(st.integers(0, len(data) - 1))
            return data[:at] + draw(st.binary(max_size=8)) + data[at + 1 :]
        case _:
            return data


scalars = (
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=8)
)
documents = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=6,
)


def spoiled(document: Any) -> st.SearchStrategy[bytes]:
    """JSON of `document` with one member somewhere replaced, removed, doubled, or the text cut."""
    paths = list(_paths(document))

    @st.composite
    def strategy(draw: st.DrawFn) -> bytes:
        copy = json.loads(json.dumps(document))
        for _ in range(draw(st.integers(1, 2))):
            path = draw(st.sampled_from(paths))
            _spoil(copy, path, draw(documents), delete=draw(st.integers(0, 3)) == 0)
        text = json.dumps(copy).encode()
        match draw(st.integers(0, 11)):
            case 0:
                return text[: draw(st.integers(0, len(text)))]
            case 1:
                at = draw(st.integers(0, len(text) - 1))
                return text[:at] + draw(st.binary(max_size=4)) + text[at:]
            case 2:
                return b"[" * 50_000 + text
            case _:
                return text

    return strategy()


def _paths(document: Any, before: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    members: Iterable[tuple[Any, Any]] = ()
    if isinstance(document, dict):
        members = document.items()
    elif isinstance(document, list):
        members = enumerate(document)
    for key, value in members:
        yield (*before, key)
        yield from _paths(value, (*before, key))


def _spoil(document: Any, path: tuple[Any, ...], value: Any, *, delete: bool) -> None:
    try:
        for key in path[:-1]:
            document = document[key]
        if delete:
            del document[path[-1]]
        else:
            document[path[-1]] = value
    except (KeyError, IndexError, TypeError):
        return  # an earlier change has taken it away
