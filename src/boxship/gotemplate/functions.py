"""The functions a template may call: Go's built-in ones and Docker's.

Each takes the evaluated arguments and raises FunctionError with the reason when they do not fit.
``and`` and ``or`` stop at the argument that decides, so the evaluator handles them itself.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from boxship.gotemplate.errors import FunctionError
from boxship.gotemplate.printf import sprintf
from boxship.gotemplate.values import (
    NO_VALUE,
    NilMap,
    NilSlice,
    Record,
    Struct,
    go_kind,
    printed,
    truth,
)

LAZY = ("and", "or")


_WIDEST = 1_000_000


def to_json(value: Any, *, escape_html: bool = False) -> str:
    """JSON as Go's encoder writes it: no blanks, maps sorted, structs in their own order."""
    text = json.dumps(_ordered(value), separators=(",", ":"), ensure_ascii=False)
    if escape_html:
        text = text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    return text.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _ordered(value: Any) -> Any:
    if value is NO_VALUE or isinstance(value, NilSlice | NilMap):
        return None
    if isinstance(value, Record):
        value = value.as_json()
    if isinstance(value, Struct):
        return {key: _ordered(item) for key, item in value.items()}
    if isinstance(value, Mapping):
        return {key: _ordered(value[key]) for key in sorted(value)}
    if isinstance(value, list | tuple):
        return [_ordered(item) for item in value]
    return value


def _json(value: Any) -> str:
    # A record's own encoder runs inside Go's, with HTML escaping on; plain data has it off.
    return to_json(value, escape_html=isinstance(value, Record))


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise FunctionError(f"wrong type for value; expected string; got {go_kind(value)}")
    return value


def _number(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise FunctionError(f"wrong type for value; expected int; got {go_kind(value)}")
    return value


def _join(items: Any, separator: Any) -> str:
    if items is None:
        return ""
    if isinstance(items, str) or not isinstance(items, Sequence):
        raise FunctionError(f"wrong type for value; expected []string; got {go_kind(items)}")
    return _text(separator).join(_text(item) for item in items)


def _split(text: Any, separator: Any) -> list[str]:
    return _text(text).split(separator) if separator else list(_text(text))


def _title(text: Any) -> str:
    """Each word's first letter in upper case; the others stay as they are."""
    result, inside = [], False
    for character in _text(text):
        result.append(character if inside else character.upper())
        inside = character.isalnum() or character in "_'"
    return "".join(result)


def _pad(text: Any, before: Any, after: Any) -> str:
    if not _text(text):
        return ""
    if max(_number(before), _number(after)) > _WIDEST:
        raise FunctionError(f"more than {_WIDEST} blanks")
    return " " * _number(before) + _text(text) + " " * _number(after)


def _truncate(text: Any, length: Any) -> str:
    return _text(text)[: _number(length)]


def _len(value: Any) -> int:
    if isinstance(value, str):
        return len(value.encode())
    if isinstance(value, Mapping | Sequence):
        return len(value)
    raise FunctionError(f"len of type {go_kind(value)}")


def _index(value: Any, *keys: Any) -> Any:
    for key in keys:
        value = _index_once(value, key)
    return value


def _index_once(value: Any, key: Any) -> Any:
    if value is None or value is NO_VALUE:
        raise FunctionError("index of untyped nil")
    if isinstance(value, Mapping):
        if key in value:
            return value[key]
        # Go gives the zero value of the map's type; its other values tell what that is.
        sample = next(iter(value.values()), "")
        if isinstance(sample, str):
            return ""
        return [] if isinstance(sample, list) else NO_VALUE
    if isinstance(value, Sequence):
        position = _number(key)
        if not 0 <= position < len(value):
            raise FunctionError(f"index out of range: {position}")
        if isinstance(value, str):
            return value.encode()[position]
        return value[position]
    raise FunctionError(f"can't index item of type {go_kind(value)}")


def _slice(value: Any, *bounds: Any) -> Any:
    if not isinstance(value, Sequence):
        raise FunctionError(f"can't slice item of type {go_kind(value)}")
    start, stop = 0, len(value)
    if bounds:
        start = _number(bounds[0])
    if len(bounds) > 1:
        stop = _number(bounds[1])
    if not 0 <= start <= stop <= len(value):
        raise FunctionError(f"index out of range: {stop if stop > len(value) else start}")
    return value[start:stop]


def _basic(value: Any) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, str):
        return "string"
    if value is None or value is NO_VALUE:
        return "nil"
    raise FunctionError("invalid type for comparison")


def _equal(first: Any, *others: Any) -> bool:
    if not others:
        raise FunctionError("missing argument for comparison")
    for other in others:
        left, right = _basic(first), _basic(other)
        if left != right and "nil" not in (left, right):
            raise FunctionError("incompatible types for comparison")
        if left == right and first == other:
            return True
    return False


def _less(first: Any, second: Any) -> bool:
    left, right = _basic(first), _basic(second)
    if left != right:
        raise FunctionError("incompatible types for comparison")
    if left in ("bool", "nil"):
        raise FunctionError("invalid type for comparison")
    return bool(first < second)


def _print(*values: Any) -> str:
    """Blanks between operands when neither is a string."""
    text = ""
    for position, value in enumerate(values):
        before = values[position - 1] if position else ""
        if position and not isinstance(value, str) and not isinstance(before, str):
            text += " "
        text += printed(value)
    return text


def _html(*values: Any) -> str:
    text = _print(*values)
    for plain, escaped in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&#34;")):
        text = text.replace(plain, escaped)
    return text.replace("'", "&#39;")


def _urlquery(*values: Any) -> str:
    from urllib.parse import quote_plus

    return quote_plus(_print(*values), safe="~")


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "and": lambda *values: values[-1],
    "or": lambda *values: values[-1],
    "not": lambda value: not truth(value),
    "eq": _equal,
    "ne": lambda first, second: not _equal(first, second),
    "lt": _less,
    "le": lambda first, second: _less(first, second) or _equal(first, second),
    "gt": lambda first, second: not (_less(first, second) or _equal(first, second)),
    "ge": lambda first, second: not _less(first, second),
    "len": _len,
    "index": _index,
    "slice": _slice,
    "print": _print,
    "printf": lambda template, *values: sprintf(_text(template), values),
    "println": lambda *values: " ".join(printed(value) for value in values) + "\n",
    "html": _html,
    "urlquery": _urlquery,
    "json": _json,
    "join": _join,
    "split": _split,
    "lower": lambda text: _text(text).lower(),
    "upper": lambda text: _text(text).upper(),
    "title": _title,
    "pad": _pad,
    "truncate": _truncate,
}
