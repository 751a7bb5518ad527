"""Docker's ``json-file`` log format: output bytes to entries, without I/O.

One entry per line of output, ended by a newline::

    {"log":"hello\\n","stream":"stdout","time":"2026-01-02T03:04:05.123456789Z"}

Of a line in pieces only the last one ends in ``\\n``. Strings are escaped as Go's encoder does it:
``<``, ``>`` and ``&`` as ``\\u00XX``, each byte that is not UTF-8 as ``\\ufffd``.

A whole chunk of output is made entries by a few ``bytes`` methods, never line by
line: one C loop over the chunk per character that needs escaping, and for most output there is
none. All lines of a chunk get the time at which it was read.
"""

import codecs
from collections.abc import Iterable
from typing import Final

from boxship.runtime.logs.lines import Piece

_HEAD: Final = b'{"log":"'
_NEWLINE: Final = b"\\n"


def _escape_of(byte: int) -> bytes:
    short = {0x0D: b"\\r", 0x22: b'\\"', 0x5C: b"\\\\"}
    return short.get(byte) or b"\\u%04x" % byte


# The backslash comes first, because the other replacements bring new ones. The newline is not
# here: it ends entries.
_SPECIAL: Final = (0x5C, *range(0x0A), *range(0x0B, 0x20), *b'"<>&')
_ESCAPES: Final = {byte: (bytes((byte,)), _escape_of(byte)) for byte in _SPECIAL}
_PLAIN: Final = bytes(byte for byte in range(0x80) if byte not in _ESCAPES)

# Python's own replacement stands for an invalid sequence as a whole, Go's for each byte. Hence
# the detour: invalid bytes become lone surrogates one by one, and a run of surrogates calls the
# function once. It gives the escape, not the character, since U+FFFD itself is valid output.
_INVALID: Final = "boxship.escape-lone-surrogates"


def _escape_lone_surrogates(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    return "\\ufffd" * (error.end - error.start), error.end


codecs.register_error(_INVALID, _escape_lone_surrogates)


def escape(data: bytes) -> bytes:
    """Return ``data`` as the inside of a JSON string, newlines left as they are."""
    special = data.translate(None, _PLAIN)
    if not special:
        return data
    present = set(special)
    for byte, (old, new) in _ESCAPES.items():
        if byte in present:
            data = data.replace(old, new)
    if not special.isascii():
        data = _escape_beyond_ascii(data)
    return data


def _escape_beyond_ascii(data: bytes) -> bytes:
    try:
        data.decode()
    except UnicodeDecodeError:
        data = data.decode("utf-8", "surrogateescape").encode("utf-8", _INVALID)
    if b"\xe2\x80" in data:  # line and paragraph separator, which JavaScript takes for newlines
        data = data.replace(b"\xe2\x80\xa8", b"\\u2028").replace(b"\xe2\x80\xa9", b"\\u2029")
    return data


class EntryEncoder:
    """Makes entries of the pieces of one stream of output."""

    def __init__(self, stream: str, attributes: str = "") -> None:
        extra = f'"attrs":{attributes},' if attributes else ""
        self._middle = f'","stream":"{stream}",{extra}"time":"'.encode()

    def encode(self, pieces: Iterable[Piece], time: bytes) -> bytes:
        """Return the entries; ``time`` is RFC 3339."""
        tail = self._middle + time + b'"}\n'
        return b"".join(_entries(piece.data, tail) for piece in pieces)


def _entries(data: bytes, tail: bytes) -> bytes:
    if not data.endswith(b"\n"):
        return b"".join((_HEAD, escape(data), tail))
    end = _NEWLINE + tail
    return b"".join((_HEAD, escape(data[:-1]).replace(b"\n", end + _HEAD), end))
