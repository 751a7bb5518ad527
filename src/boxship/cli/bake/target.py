"""A target of a bake file: one build, described. One table of fields feeds reading, merging,
``--set`` and ``--print``.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from enum import Enum
from typing import Any

from boxship.cli.bake.hcl.conversion import article, to_bool, to_string
from boxship.cli.bake.hcl.syntax import Value


class Kind(Enum):
    """What a field holds, and with that how a later definition meets an earlier one."""

    TEXT = "a text; the later one counts"
    FLAG = "true or false; the later one counts"
    TEXTS = "a list of texts; the later one counts"
    MORE = "a list of texts; later ones are added"
    MAP = "names and texts; names are merged"


class FieldError(ValueError):
    """A field has a value that it can't have."""


def _field(name: str, kind: Kind, *others: str) -> Any:
    return field(default=None, metadata={"name": name, "kind": kind, "others": others})


@dataclass(frozen=True, slots=True)
class Target:
    """All fields, ``None`` where nothing was said. In the order in which they are printed.

    ``others`` of a field's metadata are further names for ``--set``.
    """

    annotations: tuple[str, ...] | None = _field("annotations", Kind.MORE)
    attest: tuple[str, ...] | None = _field("attest", Kind.MORE)
    context: str | None = _field("context", Kind.TEXT)
    contexts: Mapping[str, str] | None = _field("contexts", Kind.MAP)
    dockerfile: str | None = _field("dockerfile", Kind.TEXT)
    dockerfile_inline: str | None = _field("dockerfile-inline", Kind.TEXT)
    args: Mapping[str, str] | None = _field("args", Kind.MAP)
    labels: Mapping[str, str] | None = _field("labels", Kind.MAP)
    tags: tuple[str, ...] | None = _field("tags", Kind.TEXTS)
    cache_from: tuple[str, ...] | None = _field("cache-from", Kind.TEXTS)
    cache_to: tuple[str, ...] | None = _field("cache-to", Kind.TEXTS)
    target: str | None = _field("target", Kind.TEXT)
    secret: tuple[str, ...] | None = _field("secret", Kind.MORE, "secrets")
    ssh: tuple[str, ...] | None = _field("ssh", Kind.TEXTS)
    platforms: tuple[str, ...] | None = _field("platforms", Kind.TEXTS, "platform")
    output: tuple[str, ...] | None = _field("output", Kind.TEXTS)
    pull: bool | None = _field("pull", Kind.FLAG)
    no_cache: bool | None = _field("no-cache", Kind.FLAG)
    network: str | None = _field("network", Kind.TEXT)
    no_cache_filter: tuple[str, ...] | None = _field("no-cache-filter", Kind.TEXTS)
    shm_size: str | None = _field("shm-size", Kind.TEXT)
    ulimits: tuple[str, ...] | None = _field("ulimits", Kind.TEXTS)
    call: str | None = _field("call", Kind.TEXT)
    entitlements: tuple[str, ...] | None = _field("entitlements", Kind.MORE)
    extra_hosts: Mapping[str, str] | None = _field("extra-hosts", Kind.MAP)
    description: str | None = _field("description", Kind.TEXT)
    inherits: tuple[str, ...] | None = _field("inherits", Kind.TEXTS)


@dataclass(frozen=True, slots=True)
class Field:
    """A row of the table: ``name`` in files, ``attribute`` of :class:`Target`."""

    name: str
    attribute: str
    kind: Kind


FIELDS: Mapping[str, Field] = {
    name: Field(one.metadata["name"], one.name, one.metadata["kind"])
    for one in fields(Target)
    for name in (one.metadata["name"], *one.metadata["others"])
}


def merged(earlier: Target, later: Target) -> Target:
    """Return both as one; what the later one says goes before."""
    changes: dict[str, Any] = {}
    for one in fields(Target):
        first, second = getattr(earlier, one.name), getattr(later, one.name)
        if second is None:
            continue
        kind = one.metadata["kind"]
        if kind is Kind.MAP and first is not None:
            changes[one.name] = {**first, **second}
        elif kind is Kind.MORE and first is not None:
            changes[one.name] = tuple(dict.fromkeys((*first, *second)))
        else:
            changes[one.name] = second
    return replace(earlier, **changes)


def converted(one: Field, value: Value) -> Any:
    """Return a field's value as it is kept; raise FieldError or ConversionError. Null is unset."""
    if value is None:
        return None
    return _CONVERT[one.kind](value)


def _text(value: Value) -> str:
    return to_string(value)


def _texts(value: Value) -> tuple[str, ...]:
    if not isinstance(value, tuple):
        raise FieldError(f"a list is required, not {article(value)}")
    return tuple(_entry(one) for one in value if one is not None)


def _entry(value: Value) -> str:
    """Write an entry: ``type=registry,ref=x`` is also ``{type = "registry", ref = "x"}``."""
    if not isinstance(value, dict):
        return to_string(value)
    if "id" in value and isinstance(value.get("paths"), tuple):
        paths = ",".join(map(to_string, _tuple(value["paths"])))
        return f"{to_string(value['id'])}={paths}"
    names = sorted(value, key=lambda name: (name != "type", name))
    return ",".join(f"{name}={to_string(value[name])}" for name in names if value[name] is not None)


def _tuple(value: Value) -> tuple[Value, ...]:
    return value if isinstance(value, tuple) else ()


def _map(value: Value) -> dict[str, str]:
    if not isinstance(value, dict):
        raise FieldError(f"an object is required, not {article(value)}")
    return {name: to_string(one) for name, one in value.items() if one is not None}


_CONVERT: Mapping[Kind, Callable[[Value], object]] = {
    Kind.TEXT: _text,
    Kind.FLAG: to_bool,
    Kind.TEXTS: _texts,
    Kind.MORE: _texts,
    Kind.MAP: _map,
}
