"""JSON for programs whose start-up counts.

The standard package's own parser and encoder, without its Python part, whose regular expressions
and enumerations take 5 ms to load. What differs from ``json.loads`` and ``json.dumps``: no options
but those here.
"""

from _json import encode_basestring_ascii, make_encoder, make_scanner

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_BLANK = " \t\n\r"


class _Rules:
    """What the parser asks for: objects to dictionaries, numbers to int and float."""

    strict = True
    object_hook = object_pairs_hook = None
    parse_float, parse_int, parse_constant = float, int, float
    memo: "dict[str, str]" = {}  # noqa: RUF012 - emptied by the parser after each text


_scan = make_scanner(_Rules)  # type: ignore[arg-type]


def loads(text: "str | bytes") -> "Any":
    """Return the value of one JSON text; raise ValueError that says where it is wrong."""
    plain = text if isinstance(text, str) else text.decode()
    try:
        value, end = _scan(plain, len(plain) - len(plain.lstrip(_BLANK)))
    except (StopIteration, SystemError):
        # SystemError: the parser looked for the class of its errors, which is not loaded.
        end = -1
    if end < 0 or plain[end:].strip(_BLANK):
        import json

        return json.loads(plain)  # which has the words for it
    return value


def dumps(value: object, *, compact: bool = False) -> str:
    """Return the JSON text of ``value`` in one line; ``compact`` without spaces in it."""
    separators = (":", ",") if compact else (": ", ", ")
    encode = make_encoder(
        {}, _refuse, encode_basestring_ascii, None, *separators, False, False, True
    )
    return "".join(encode(value, 0))


def pretty(value: object, indent: str = "") -> str:
    """Return the JSON text of ``value`` over several lines, as ``json.dumps(value, indent=2)``."""
    deeper = f"{indent}  "
    if isinstance(value, dict) and value:
        items = [f"{dumps(str(key))}: {pretty(item, deeper)}" for key, item in value.items()]
    elif isinstance(value, (list, tuple)) and value:
        items = [pretty(item, deeper) for item in value]
    else:
        return dumps(value)
    first, last = "{}" if isinstance(value, dict) else "[]"
    return f"{first}\n{deeper}" + f",\n{deeper}".join(items) + f"\n{indent}{last}"


def _refuse(value: object) -> "Any":
    raise TypeError(f"{type(value).__name__} has no JSON form")
