"""``--set``: a field of some targets from the command line.

``pattern.field=value``, ``pattern.field.name=value`` for fields of names and texts, ``+=`` to add
to a list. Fields that hold lists are repeated. ``pattern.args.NAME`` without a value takes it from
the environment.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from boxship.cli.bake.hcl.conversion import ConversionError, to_bool
from boxship.cli.bake.target import FIELDS, Field, Kind, Target
from boxship.dockerfile.suggestions import nearest


class OverrideError(ValueError):
    """The text of a ``--set`` can't be read, or fits no target."""


@dataclass(frozen=True, slots=True)
class Override:
    """One ``--set``. ``name`` is the part behind the field; ``value`` is ``None`` if not given."""

    pattern: str
    field: Field
    name: str
    value: str | None
    adds: bool = False


_OUTPUTS = {"push": "type=registry", "load": "type=docker"}


def parse_override(text: str) -> Override:
    """Read one ``--set``; raise :class:`OverrideError`."""
    key, separator, value = text.partition("=")
    adds = key.endswith("+")
    pattern, *path = key.removesuffix("+").split(".", 2)
    if not path or not pattern:
        raise OverrideError(f"invalid override {text}: it is target.field=value")
    if path[0] in _OUTPUTS:
        return _output(pattern, path[0], value)
    one = FIELDS.get(path[0])
    if one is None:
        hint = nearest(path[0], FIELDS)
        problem = f'invalid override {text}: a target has no field "{path[0]}"'
        raise OverrideError(f"{problem} ({hint})" if hint else problem)
    name = path[1] if len(path) > 1 else ""
    if one.kind is Kind.MAP and not name:
        raise OverrideError(f"invalid override {text}: it is target.{one.name}.<name>=<value>")
    if one.kind is not Kind.MAP and name:
        raise OverrideError(f"invalid override {text}: {one.name} has no names")
    if not separator and one.attribute != "args":
        raise OverrideError(f"invalid override {text}: a value is missing")
    return Override(pattern, one, name, value if separator else None, adds)


def _output(pattern: str, word: str, value: str) -> Override:
    if value.lower() not in ("true", "1"):
        raise OverrideError(f"invalid override {pattern}.{word}={value}: it can only be true")
    return Override(pattern, FIELDS["output"], "", _OUTPUTS[word])


def matching(overrides: Iterable[Override], names: Iterable[str]) -> dict[str, list[Override]]:
    """Return the overrides of each target; raise OverrideError for one that fits none."""
    found: dict[str, list[Override]] = {}
    known = list(names)
    for one in overrides:
        fitting = [name for name in known if fnmatchcase(name, one.pattern)]
        if not fitting:
            hint = nearest(one.pattern, known)
            problem = f"could not find any target matching '{one.pattern}'"
            raise OverrideError(f"{problem} ({hint})" if hint else problem)
        for name in fitting:
            found.setdefault(name, []).append(one)
    return found


def overridden(
    target: Target, overrides: Iterable[Override], environment: Mapping[str, str]
) -> Target:
    """Return the target with the fields changed; raise :class:`OverrideError`."""
    begun: set[str] = set()
    for one in overrides:
        attribute = one.field.attribute
        current = getattr(target, attribute)
        keeps = one.adds or attribute in begun
        begun.add(attribute)
        match one.field.kind:
            case Kind.MAP:
                value = environment.get(one.name) if one.value is None else one.value
                added = {} if value is None else {one.name: value}
                new: object = {**(current or {}), **added}
            case Kind.TEXT:
                new = one.value
            case Kind.FLAG:
                new = _flag(one)
            case _:
                entry = (one.value,) if one.value else ()
                new = (*(current or ()), *entry) if keeps else entry
        target = replace(target, **{attribute: new})  # type: ignore[arg-type]
    return target


def _flag(one: Override) -> bool:
    try:
        return to_bool(one.value)
    except ConversionError:
        raise OverrideError(f"{one.field.name} is true or false, not '{one.value}'") from None
