"""JSON that people write: what it says, where each thing stands, and where it is wrong.

:mod:`json` tells the place of a syntax error, but not of a key, and takes the last of two that are
the same. Both matter in a file that somebody edits by hand. Pure.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

Path = tuple[str | int, ...]

_BLANK = re.compile(r"[ \t\n\r]*")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_WORD = re.compile(r"[A-Za-z_]+")
_CONSTANTS: Mapping[str, bool | None] = MappingProxyType(
    {"true": True, "false": False, "null": None}
)
_DEEPEST = 64
_LONGEST = 200
_STRINGS = json.JSONDecoder()


def shown(value: object) -> str:
    """Return a value as it would stand in JSON, for a message: a long one is cut off."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


class JsonTextError(ValueError):
    """``line`` and ``column`` count from 1; the text names them and what was found there."""

    def __init__(self, place: "Place", problem: str) -> None:
        super().__init__(f"{place}: {problem}")
        self.place = place


@dataclass(frozen=True, slots=True)
class Place:
    """Where something begins in a text; both count from 1."""

    line: int
    column: int

    def __str__(self) -> str:
        return f"line {self.line}, column {self.column}"

    @classmethod
    def at(cls, text: str, position: int) -> "Place":
        before = text.rfind("\n", 0, position)
        return cls(text.count("\n", 0, position) + 1, position - before)


@dataclass(frozen=True, slots=True)
class Document:
    """A value, and where each key and each item of it stands (``("hosts", 0)``)."""

    value: object
    places: Mapping[Path, Place]


def decode(raw: bytes) -> str:
    """Return the text of a file. JsonTextError: it isn't UTF-8, or holds NUL bytes."""
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode()
        place = Place.at(before, len(before))
        raise JsonTextError(place, f"byte 0x{raw[error.start]:02x} is not UTF-8") from error
    if (zero := text.find("\0")) >= 0:
        raise JsonTextError(Place.at(text, zero), "a NUL byte: this is no text")
    return text


def read(text: str) -> Document:
    """Read one JSON value. JsonTextError: where it goes wrong, or which key stands there twice."""
    reader = _Reader(text)
    value = reader.value(reader.blank(0), ())
    end = reader.blank(reader.end)
    if end < len(text):
        raise reader.wrong(end, f"{reader.shown(end)} after the end of the value")
    return Document(value, MappingProxyType(reader.places))


class _Reader:
    """``end`` is where the value that was read last has ended."""

    def __init__(self, text: str) -> None:
        self._text = text
        self.places: dict[Path, Place] = {}
        self.end = 0

    def blank(self, position: int) -> int:
        match = _BLANK.match(self._text, position)
        return position if match is None else match.end()

    def shown(self, position: int) -> str:
        found = self._text[position : position + 1]
        if not found:
            return "the end of the file"
        if found == "#" or self._text[position : position + 2] in ("//", "/*"):
            return "a comment, which JSON doesn't have,"
        return repr(found)

    def wrong(self, position: int, problem: str) -> JsonTextError:
        return JsonTextError(Place.at(self._text, position), problem)

    def value(self, position: int, path: Path) -> object:
        if len(path) > _DEEPEST:
            raise self.wrong(position, f"nested more than {_DEEPEST} deep")
        self.places.setdefault(path, Place.at(self._text, position))
        match self._text[position : position + 1]:
            case "{":
                return self._object(position + 1, path)
            case "[":
                return self._list(position + 1, path)
            case '"':
                return self._string(position)
        return self._scalar(position)

    def _scalar(self, position: int) -> object:
        if number := _NUMBER.match(self._text, position):
            self.end = number.end()
            whole = number[1] is None and number[2] is None
            return int(number[0]) if whole else float(number[0])
        word = _WORD.match(self._text, position)
        if word is None or word[0] not in _CONSTANTS:
            found = repr(word[0]) if word else self.shown(position)
            raise self.wrong(position, f"expected a value, found {found}")
        self.end = word.end()
        return _CONSTANTS[word[0]]

    def _string(self, position: int) -> str:
        try:
            text, self.end = _STRINGS.raw_decode(self._text, position)
        except json.JSONDecodeError as error:
            raise self.wrong(error.pos, error.msg.removesuffix(" at").lower()) from error
        return str(text)

    def _object(self, position: int, path: Path) -> dict[str, object]:
        found: dict[str, object] = {}
        position = self.blank(position)
        while self._text[position : position + 1] != "}" or found:
            if self._text[position : position + 1] != '"':
                raise self.wrong(
                    position, f"expected a key in double quotes, found {self.shown(position)}"
                )
            key = self._string(position)
            where = (*path, key)
            if key in found:
                raise self.wrong(
                    position, f"{key} stands there twice, first in {self.places[where]}"
                )
            self.places[where] = Place.at(self._text, position)
            colon = self.blank(self.end)
            if self._text[colon : colon + 1] != ":":
                raise self.wrong(colon, f"expected ':' after {key}, found {self.shown(colon)}")
            found[key] = self.value(self.blank(colon + 1), where)
            position = self._separator("}")
            if position < 0:
                return found
        self.end = position + 1
        return found

    def _list(self, position: int, path: Path) -> list[object]:
        found: list[object] = []
        position = self.blank(position)
        while self._text[position : position + 1] != "]" or found:
            found.append(self.value(position, (*path, len(found))))
            position = self._separator("]")
            if position < 0:
                return found
        self.end = position + 1
        return found

    def _separator(self, closing: str) -> int:
        """Return where the next item begins, -1 if there is none; ``end`` is then behind it."""
        position = self.blank(self.end)
        found = self._text[position : position + 1]
        if found == closing:
            self.end = position + 1
            return -1
        if found != ",":
            raise self.wrong(position, f"expected ',' or '{closing}', found {self.shown(position)}")
        return self.blank(position + 1)
