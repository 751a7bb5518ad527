"""Reading the values of options: from the command line's words, and from JSON."""

import re
from collections.abc import Iterable, Iterator

from boxship.base.errors import InvalidArgumentError
from boxship.base.units import parse_bytes
from boxship.daemon.jsontext import shown
from boxship.daemon.option import Kind, Option, Value
from boxship.daemon.options import BY_FLAG, BY_SHORT

_TRUE = frozenset({"1", "t", "T", "true", "TRUE", "True"})
_WANTED = {
    Kind.FLAG: "true or false",
    Kind.NUMBER: "a number",
    Kind.TEXT: "a text",
    Kind.SIZE: "a size (64m, or bytes)",
    Kind.LIST: "a list of texts",
    Kind.MAP: "an object",
    Kind.MAPS: "an object of objects of texts",
    Kind.POOLS: "a list of objects with base and size",
    Kind.TREE: "an object",
}
_FALSE = frozenset({"0", "f", "F", "false", "FALSE", "False"})


def parse_arguments(arguments: list[str]) -> dict[Option, Value]:
    """Read the command line: ``--flag value``, ``--flag=value``, ``-f value``, ``-Df value``."""
    given: dict[Option, Value] = {}
    words = iter(arguments)
    for word in words:
        if word.startswith("--"):
            name, equals, value = word[2:].partition("=")
            option = BY_FLAG.get(name)
            if option is None:
                raise InvalidArgumentError(f"unknown flag: --{name}")
            _take(given, option, value if equals else None, words)
        elif word.startswith("-") and len(word) > 1:
            _take_short(given, word[1:], words)
        else:
            raise InvalidArgumentError(f'"boxshipd" accepts no arguments, and got {word!r}')
    return given


def _take_short(given: dict[Option, Value], letters: str, words: Iterator[str]) -> None:
    while letters:
        option = BY_SHORT.get(letters[0])
        if option is None:
            raise InvalidArgumentError(f"unknown shorthand flag: '{letters[0]}' in -{letters}")
        letters = letters[1:]
        if option.kind is Kind.FLAG and not letters.startswith("="):
            given[option] = True
            continue
        _take(given, option, letters.removeprefix("=") or None, words)
        return


def _take(
    given: dict[Option, Value], option: Option, text: str | None, words: Iterator[str]
) -> None:
    if text is None:
        if option.kind is Kind.FLAG:
            given[option] = True
            return
        text = next(words, None)
        if text is None:
            raise InvalidArgumentError(f"flag needs an argument: --{option.flag}")
    given[option] = _from_text(option, text, given.get(option))


def from_words(option: Option, words: Iterable[str]) -> Value:
    """Read a value from words, of which only lists and maps can have several, or none."""
    value: Value = {} if option.kind in (Kind.MAP, Kind.MAPS) else ()
    if option.kind not in (Kind.LIST, Kind.MAP, Kind.MAPS, Kind.POOLS):
        value = ""
    for word in words:
        value = _from_text(option, word, value)
    return value


def _from_text(option: Option, text: str, before: Value) -> Value:
    match option.kind:
        case Kind.FLAG:
            return _boolean(option, text)
        case Kind.NUMBER:
            return _number(option, text)
        case Kind.SIZE:
            return _size(option, text)
        case Kind.LIST:
            return (*(before if isinstance(before, tuple) else ()), text)
        case Kind.MAP:
            key, equals, value = text.partition("=")
            if not equals:
                raise InvalidArgumentError(
                    f'invalid argument "{text}" for "--{option.flag}": must be key=value'
                )
            return {**(before if isinstance(before, dict) else {}), key: value}
        case Kind.MAPS:
            return _with_inner(option, text, before if isinstance(before, dict) else {})
        case Kind.POOLS:
            return (*(before if isinstance(before, tuple) else ()), _pool(option, text))
    return text


def _with_inner(option: Option, text: str, before: dict[str, object]) -> Value:
    name, _, rest = text.partition("=")
    key, equals, value = rest.partition("=")
    if not equals:
        raise InvalidArgumentError(
            f'invalid argument "{text}" for "--{option.flag}": must be name=key=value'
        )
    inner = before.get(name)
    return {**before, name: {**(inner if isinstance(inner, dict) else {}), key: value}}


def _pool(option: Option, text: str) -> str:
    """Check ``base=CIDR,size=number``, in any order, and return it in this one."""
    words = dict(word.strip().partition("=")[::2] for word in text.split(","))
    if words.keys() != {"base", "size"} or not re.fullmatch("[0-9]{1,3}", words["size"]):
        raise InvalidArgumentError(
            f'invalid argument "{text}" for "--{option.flag or option.key}": must be '
            "base=CIDR,size=number"
        )
    return f"base={words['base']},size={words['size']}"


def _boolean(option: Option, text: str) -> bool:
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise InvalidArgumentError(f'invalid argument "{text}" for "--{option.flag}": not a boolean')


def _number(option: Option, text: str) -> int:
    try:
        return int(text, 0)
    except ValueError as error:
        raise InvalidArgumentError(
            f'invalid argument "{text}" for "--{option.flag}": not a number'
        ) from error


def _size(option: Option, text: str) -> int:
    try:
        return parse_bytes(text)
    except ValueError as error:
        raise InvalidArgumentError(
            f'invalid argument "{text}" for "--{option.flag}": {error}'
        ) from error


def _is_map(value: object) -> bool:
    return isinstance(value, dict) and all(isinstance(inner, str) for inner in value.values())


def from_json(option: Option, value: object) -> Value:
    """Check a value of the configuration file."""
    match option.kind:
        case Kind.FLAG if isinstance(value, bool):
            return value
        case Kind.NUMBER if isinstance(value, int) and not isinstance(value, bool):
            return value
        case Kind.TEXT if isinstance(value, str):
            return value
        case Kind.SIZE if isinstance(value, int) and not isinstance(value, bool):
            return value
        case Kind.SIZE if isinstance(value, str):
            return _size(option, value)
        case Kind.LIST if isinstance(value, list) and all(isinstance(v, str) for v in value):
            return tuple(value)
        case Kind.MAP if isinstance(value, dict):
            return value
        case Kind.MAPS if isinstance(value, dict) and all(map(_is_map, value.values())):
            return value
        case Kind.POOLS if isinstance(value, list) and all(isinstance(v, dict) for v in value):
            pools = (",".join(f"{key}={inner}" for key, inner in v.items()) for v in value)
            return tuple(_pool(option, pool) for pool in pools)
        case Kind.TREE if isinstance(value, dict):
            return value
        case Kind.OBJECT:
            return None
    raise InvalidArgumentError(
        f"{option.name}: expected {_WANTED[option.kind]}, got {shown(value)}"
    )
