"""Which properties of a document nobody reads.

The specification has them ignored (config.md, "Extensibility"); who looks for a fault wants to be
told, since a misspelt name looks the same.
"""

import dataclasses
import typing
from collections.abc import Iterator
from typing import Any

from boxship.oci.codec import camel_case


def unknown_properties(kind: type, plain: object, where: str = "") -> Iterator[str]:
    """Yield the paths (``linux.resources.cpuu``) of what is in ``plain`` and not in ``kind``."""
    if not isinstance(plain, dict):
        return
    hints = typing.get_type_hints(kind)
    known = {
        field.metadata.get("name") or camel_case(field.name): hints[field.name]
        for field in dataclasses.fields(kind)
    }
    for name, value in plain.items():
        path = f"{where}.{name}".lstrip(".")
        if name not in known:
            yield path
            continue
        yield from _below(known[name], value, path)


def _below(hint: Any, value: object, path: str) -> Iterator[str]:
    if dataclasses.is_dataclass(hint):
        yield from unknown_properties(typing.cast("type", hint), value, path)
        return
    for inner in typing.get_args(hint):
        if isinstance(value, list):
            for n, item in enumerate(value):
                yield from _below(inner, item, f"{path}[{n}]")
        elif typing.get_origin(hint) is dict and isinstance(value, dict):
            for key, item in value.items():
                yield from _below(inner, item, f"{path}.{key}")
        else:
            yield from _below(inner, value, path)
