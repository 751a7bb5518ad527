"""The fields of a shape of the Engine API, by the paths they have in JSON.

::

    HostConfig.Memory               HostConfig.Ulimits[].Name        a list's members
    Labels.*                        ExposedPorts.*                   a map's members
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Struct, UnsetType


@dataclass(frozen=True)
class Field:
    """A field or a member of one; ``kind`` is str, bool, int, list, map, object or any."""

    path: str
    kind: str

    @property
    def name(self) -> str:
        """The last name in the path that is a field's."""
        names: list[str] = re.findall(r"\w+", self.path)
        return names[-1]

    @property
    def is_member(self) -> bool:
        return self.path.endswith(("[]", ".*"))


def fields_of(shape: type[Struct], prefix: str = "") -> Iterator[Field]:
    """Yield all fields of a shape, each before those inside it."""
    hints = get_type_hints(shape)
    for field in msgspec.structs.fields(shape):
        yield from _field(hints[field.name], prefix + field.encode_name)


def _field(hint: Any, path: str) -> Iterator[Field]:
    if get_origin(hint) in (Union, UnionType):
        (hint,) = (one for one in get_args(hint) if one not in (NoneType, UnsetType))
    if isinstance(hint, type) and issubclass(hint, Struct):
        yield Field(path, "object")
        yield from fields_of(hint, f"{path}.")
    elif get_origin(hint) is tuple:
        yield Field(path, "list")
        yield from _field(get_args(hint)[0], f"{path}[]")
    elif get_origin(hint) is dict:
        yield Field(path, "map")
        yield from _field(get_args(hint)[1], f"{path}.*")
    else:
        yield Field(path, "any" if hint is Any else hint.__name__)


def document_with(path: str, value: object, keys: dict[str, str]) -> dict[str, Any]:
    """Return the smallest document that has ``value`` there; ``keys`` are of maps, by field."""
    parts = re.findall(r"\w+|\[\]|\*", path)
    for position in range(len(parts) - 1, -1, -1):
        part = parts[position]
        if part == "[]":
            value = [value]
        else:
            value = {keys.get(parts[position - 1], "key") if part == "*" else part: value}
    assert isinstance(value, dict)
    return value
