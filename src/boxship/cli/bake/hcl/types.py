"""Types as they are written: ``string``, ``list(number)``, ``object({a = bool})``."""

from boxship.cli.bake.hcl.conversion import (
    ConversionError,
    to_bool,
    to_list,
    to_number,
    to_object,
    to_string,
)
from boxship.cli.bake.hcl.functions.lists import distinct
from boxship.cli.bake.hcl.syntax import (
    Call,
    Expression,
    HclError,
    Literal,
    Name,
    ObjectOf,
    TupleOf,
    Value,
)


def convert(value: Value, kind: Expression) -> Value:
    """Return ``value`` in the type that ``kind`` names; raise ConversionError or HclError."""
    match kind:
        case Name(name="any"):
            return value
        case Name(name="string"):
            return to_string(value)
        case Name(name="number"):
            return to_number(value)
        case Name(name="bool"):
            return to_bool(value)
        case Call(name="list", arguments=(inner,)):
            return tuple(convert(one, inner) for one in to_list(value))
        case Call(name="set", arguments=(inner,)):
            return distinct(tuple(convert(one, inner) for one in to_list(value)))
        case Call(name="map", arguments=(inner,)):
            return {key: convert(one, inner) for key, one in to_object(value).items()}
        case Call(name="tuple", arguments=(TupleOf(items=items),)):
            return _tuple(to_list(value), items)
        case Call(name="object", arguments=(ObjectOf(items=items),)):
            return _object(to_object(value), items)
        case Call(name="optional", arguments=(inner, *_)):
            return None if value is None else convert(value, inner)
    raise HclError("this names no type", kind.place)


def _tuple(elements: tuple[Value, ...], kinds: tuple[Expression, ...]) -> Value:
    if len(elements) != len(kinds):
        raise ConversionError(f"{len(kinds)} elements are required, not {len(elements)}")
    return tuple(convert(one, kind) for one, kind in zip(elements, kinds, strict=True))


def _object(found: dict[str, Value], kinds: tuple[tuple[Expression, Expression], ...]) -> Value:
    result: dict[str, Value] = {}
    for key, kind in kinds:
        name = key.value if isinstance(key, Literal) else None
        if not isinstance(name, str):
            raise HclError("the names of an object's attributes are plain", key.place)
        if name not in found:
            if not (isinstance(kind, Call) and kind.name == "optional"):
                raise ConversionError(f'the attribute "{name}" is required')
            result[name] = None
        else:
            result[name] = convert(found[name], kind)
    return result
