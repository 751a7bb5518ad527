"""Reading request bodies by the rules of the clients, which are those of Go's JSON decoder.

Go matches names without regard to case, takes ``null`` for "not given", and ignores what it doesn't
know. Clients rely on all three (docker-py sends dozens of nulls), so a body is first brought into
the shape's own form, then checked strictly: a value of a wrong type is an error that names its
field.
"""

import re
from collections.abc import Callable
from functools import cache
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Struct

from boxship.base.errors import InvalidArgumentError
from boxship.wire.ports import fold_bindings, fold_exposed

T = TypeVar("T", bound=Struct)
Item = TypeVar("Item")
Normalise = Callable[[Any], Any]

_WHERE = re.compile(r" - at `\$\.?([^`]*)`$")
# Docker takes one string for these lists of words, too.
_WORDS = frozenset({"cmd", "entrypoint", "shell"})
_FOLDED = {
    "port_bindings": fold_bindings,
    "publish_add": fold_bindings,
    "exposed_ports": fold_exposed,
}


def decode_body(body: bytes, shape: type[T]) -> T:
    """Read a JSON body. InvalidArgumentError names what is wrong and where."""
    loose = _loose(body)
    return _converted(_of_struct(shape)({} if loose is None else loose), shape)


def decode_list(body: bytes, item: type[Item]) -> tuple[Item, ...]:
    """Read a body that is a list of ``item``; ``null`` is an empty one. Errors likewise."""
    shape = cast("type[tuple[Item, ...]]", tuple[item, ...])  # type: ignore[valid-type]
    loose = _loose(body)
    return _converted(_of_type(shape)([] if loose is None else loose), shape)


def _loose(body: bytes) -> Any:
    if not body.strip():
        raise InvalidArgumentError("invalid JSON: got EOF while reading request body")
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise InvalidArgumentError(f"invalid JSON: {error}") from error


def _converted(loose: Any, shape: type[Item]) -> Item:
    try:
        return msgspec.convert(loose, shape)
    except msgspec.ValidationError as error:
        raise InvalidArgumentError(f"invalid JSON: {_located(str(error))}") from error


def _located(message: str) -> str:
    """Turn ``Expected `int`, got `str` - at `$.HostConfig.Memory``` round: field first."""
    message = message.replace(" | null", "")
    match = _WHERE.search(message)
    if match is None:
        return message.replace("`", "")
    return f"{match[1]}: {message[: match.start()]}".replace("`", "")


@cache
def _of_struct(shape: type[Struct]) -> Normalise:
    """Make the function that brings an object into the form of ``shape``."""
    hints = get_type_hints(shape)
    fields = {
        field.encode_name.lower(): (field.encode_name, _of_field(field.name, hints[field.name]))
        for field in msgspec.structs.fields(shape)
    }

    def normalise(value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        result = {}
        for key, member in value.items():
            known = fields.get(key.lower())
            if known is None or member is None:
                continue
            name, inner = known
            if name not in result or key == name:
                result[name] = inner(member)
        return result

    return normalise


def _of_field(name: str, hint: Any) -> Normalise:
    inner = _of_type(hint)
    if (fold := _FOLDED.get(name)) is not None:
        return lambda value: fold(value, inner)
    if name not in _WORDS:
        return inner
    return lambda value: [value] if isinstance(value, str) else inner(value)


@cache
def _of_type(hint: Any) -> Normalise:
    """Make the function for a field's type: into structs, lists and maps, as deep as they go."""
    origin = get_origin(hint)
    if origin in (Union, UnionType):
        members = [_of_type(member) for member in get_args(hint) if member is not NoneType]
        wanted = [member for member in members if member is not _unchanged]
        return wanted[0] if wanted else _unchanged
    if origin in (list, tuple):
        inner = _of_type(get_args(hint)[0])
        if origin is tuple and get_args(hint)[-1] is not Ellipsis:
            return _of_array(len(get_args(hint)))
        return lambda value: [inner(v) for v in value] if isinstance(value, list) else value
    if origin is dict:
        return _of_map(get_args(hint)[1])
    if isinstance(hint, type) and issubclass(hint, Struct):
        return _of_struct(hint)
    return _unchanged


def _of_array(length: int) -> Normalise:
    """As Go does with arrays: what is missing is zero, what is too much is dropped."""
    rest = [0] * length
    return lambda value: (value + rest)[:length] if isinstance(value, list) else value


def _of_map(hint: Any) -> Normalise:
    inner = _of_type(hint)
    # A null member of a map is its type's zero: {"80/tcp": null} means {"80/tcp": {}}.
    empty: Any = None
    if hint is str:
        empty = ""
    elif get_origin(hint) is dict or (isinstance(hint, type) and issubclass(hint, Struct)):
        empty = {}

    def normalise(value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {k: empty if v is None else inner(v) for k, v in value.items()}

    return normalise


def _unchanged(value: Any) -> Any:
    return value
