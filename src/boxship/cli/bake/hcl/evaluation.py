"""The values of expressions."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from inspect import signature
from typing import Protocol

from boxship.cli.bake.hcl.conversion import (
    ConversionError,
    article,
    to_bool,
    to_number,
    to_string,
    unified,
)
from boxship.cli.bake.hcl.scanner import whole
from boxship.cli.bake.hcl.syntax import (
    Attribute,
    Binary,
    Call,
    Conditional,
    Element,
    Expression,
    For,
    HclError,
    Index,
    Literal,
    Name,
    ObjectOf,
    Place,
    Splat,
    Template,
    TemplateFor,
    TupleOf,
    Unary,
    Value,
)

_LONGEST = 1 << 20


class FunctionError(Exception):
    """A function refuses its arguments; the message says why."""


Function = Callable[..., Value]
"""Takes values, raises :class:`FunctionError` or :class:`ConversionError`."""


class Names(Protocol):
    """Where variables come from."""

    def value_of(self, name: str, place: Place) -> Value:
        """Return a variable's value; raise HclError if there is none of that name."""

    def function(self, name: str, place: Place) -> Function:
        """Return a function; raise HclError if there is none of that name."""

    def names_blocks(self, name: str) -> bool:
        """Tell whether ``name.label.attribute`` is an attribute of a block of the files."""

    def of_block(self, kind: str, label: str, name: str, place: Place) -> Value:
        """Return the value of a block's attribute; raise HclError if there is none."""


@dataclass(frozen=True, slots=True)
class Evaluator:
    """Evaluates expressions with the names of ``outer`` and the variables of for and functions."""

    outer: Names
    local: Mapping[str, Value] = field(default_factory=dict)
    element: Value = None

    def value(self, one: Expression) -> Value:
        """Return the value of an expression; raise :class:`HclError`."""
        try:
            return self._value(one)
        except (ConversionError, FunctionError) as error:
            raise HclError(str(error), one.place) from None
        except RecursionError:
            raise HclError("nested too deeply", one.place) from None

    def _value(self, one: Expression) -> Value:  # noqa: PLR0912, one row per node
        match one:
            case Literal():
                return one.value
            case Template():
                return self._template(one)
            case Name():
                return self._name(one)
            case Attribute(of=Attribute(of=Name(name=kind), name=label)) if self._is_block(kind):
                return self.outer.of_block(kind, label, one.name, one.place)
            case Attribute():
                return _attribute(self.value(one.of), one.name)
            case Index():
                return _index(self.value(one.of), self.value(one.key))
            case Element():
                return self.element
            case Splat():
                return self._splat(one)
            case Call():
                return self._call(one)
            case Unary():
                return self._unary(one)
            case Binary():
                return self._binary(one)
            case Conditional():
                return self._conditional(one)
            case TupleOf():
                return tuple(map(self.value, one.items))
            case ObjectOf():
                return {to_string(self.value(k)): self.value(v) for k, v in one.items}
            case For():
                return self._for(one)
            case TemplateFor():
                return self._template_for(one)

    def within(self, names: Mapping[str, Value]) -> "Evaluator":
        """Return an evaluator that knows ``names``, too."""
        return replace(self, local={**self.local, **names})

    def _is_block(self, kind: str) -> bool:
        return kind not in self.local and self.outer.names_blocks(kind)

    def _name(self, one: Name) -> Value:
        if one.name in self.local:
            return self.local[one.name]
        return self.outer.value_of(one.name, one.place)

    def _template(self, one: Template) -> Value:
        if len(one.parts) == 1:
            return self.value(one.parts[0])
        text = "".join(self._text(part) for part in one.parts)
        if len(text) > _LONGEST:
            raise HclError("the text becomes longer than 1 MiB", one.place)
        return text

    def _text(self, part: Expression) -> str:
        value = self.value(part)
        if isinstance(value, tuple | dict) or value is None:
            raise HclError(f"{article(value)} can't be part of a text", part.place)
        return to_string(value)

    def _template_for(self, one: TemplateFor) -> str:
        return "".join(
            self.within({one.key_name: key, one.value_name: value})._text(one.body)
            for key, value in _items(self.value(one.of))
        )

    def _splat(self, one: Splat) -> Value:
        of = self.value(one.of)
        elements = of if isinstance(of, tuple) else () if of is None else (of,)
        return tuple(replace(self, element=element).value(one.each) for element in elements)

    def _call(self, one: Call) -> Value:
        if one.name in _LAZY:
            return _LAZY[one.name](self, one)
        function = self.outer.function(one.name, one.place)
        arguments = list(map(self.value, one.arguments))
        if one.spread:
            last = arguments.pop()
            if not isinstance(last, tuple):
                raise HclError("what stands before ... has to be a list", one.place)
            arguments += last
        try:
            signature(function).bind(*arguments)
        except TypeError as error:
            raise HclError(f"{one.name}: {error}", one.place) from None
        try:
            return function(*arguments)
        except (FunctionError, ConversionError) as error:
            raise HclError(f"{one.name}: {error}", one.place) from None

    def _unary(self, one: Unary) -> Value:
        value = self.value(one.operand)
        return not to_bool(value) if one.operator == "!" else -to_number(value)

    def _binary(self, one: Binary) -> Value:
        left, right = self.value(one.left), self.value(one.right)
        if one.operator in ("==", "!="):
            return _equal(left, right) is (one.operator == "==")
        if one.operator in ("&&", "||"):
            return _logic(one.operator, to_bool(left), to_bool(right))
        return _arithmetic(one.operator, to_number(left), to_number(right))

    def _conditional(self, one: Conditional) -> Value:
        chosen, other = one.then, one.otherwise
        if not to_bool(self.value(one.condition)):
            chosen, other = other, chosen
        value = self.value(chosen)
        if isinstance(value, str | tuple | dict) or value is None:
            return value
        try:
            return unified(value, self.value(other))
        except HclError:
            # The branch that is not taken may need what only its condition guarantees.
            return value

    def _for(self, one: For) -> Value:
        result: dict[str, Value] = {}
        values: list[Value] = []
        for key, element in _items(self.value(one.of)):
            inner = self.within({one.key_name: key, one.value_name: element})
            if one.condition is not None and not to_bool(inner.value(one.condition)):
                continue
            value = inner.value(one.value)
            if one.key is None:
                values.append(value)
                continue
            name = to_string(inner.value(one.key))
            earlier = result.get(name, ()) if one.group else ()
            result[name] = (*earlier, value) if one.group and isinstance(earlier, tuple) else value
        return tuple(values) if one.key is None else result


def _items(value: Value) -> Iterator[tuple[Value, Value]]:
    if isinstance(value, dict):
        yield from sorted(value.items())
    elif isinstance(value, tuple):
        yield from enumerate(value)
    else:
        raise ConversionError(f"for goes over a list or an object, not {article(value)}")


def _attribute(value: Value, name: str) -> Value:
    if not isinstance(value, dict):
        raise ConversionError(f'{article(value)} has no attribute "{name}"')
    if name not in value:
        raise ConversionError(f'the object has no attribute "{name}"')
    return value[name]


def _index(value: Value, key: Value) -> Value:
    if isinstance(value, dict):
        return _attribute(value, to_string(key))
    if not isinstance(value, tuple):
        raise ConversionError(f"{article(value)} has no elements")
    number = to_number(key)
    if not isinstance(number, int) or not 0 <= number < len(value):
        raise ConversionError(f"the list of {len(value)} has no element {to_string(key)}")
    return value[number]


def _equal(left: Value, right: Value) -> bool:
    # For Python True is 1.
    return isinstance(left, bool) == isinstance(right, bool) and left == right


def _logic(operator: str, left: bool, right: bool) -> bool:
    return left and right if operator == "&&" else left or right


def _arithmetic(operator: str, left: int | float, right: int | float) -> Value:
    if operator in ("/", "%") and right == 0:
        raise ConversionError("division by zero")
    try:
        return _OPERATIONS[operator](left, right)
    except OverflowError:
        raise ConversionError("the number becomes too large") from None


def _remainder(left: float, right: float) -> int | float:
    """Return what is left of a division whose result is rounded to zero, as in Go."""
    size = abs(left) % abs(right)
    return whole(size if left >= 0 else -size)


_OPERATIONS: Mapping[str, Callable[[int | float, int | float], Value]] = {
    "+": lambda left, right: left + right,
    "-": lambda left, right: left - right,
    "*": lambda left, right: left * right,
    "/": lambda left, right: left // right if _divides(left, right) else whole(left / right),
    "%": _remainder,
    "<": lambda left, right: left < right,
    "<=": lambda left, right: left <= right,
    ">": lambda left, right: left > right,
    ">=": lambda left, right: left >= right,
}


def _divides(left: int | float, right: int | float) -> bool:
    return isinstance(left, int) and isinstance(right, int) and left % right == 0


def _try(evaluator: Evaluator, call: Call) -> Value:
    """Return the first argument that has a value."""
    failed: HclError | None = None
    for argument in call.arguments:
        try:
            return evaluator.value(argument)
        except HclError as error:
            failed = failed or error
    raise failed or HclError("try needs an argument", call.place)


def _can(evaluator: Evaluator, call: Call) -> Value:
    """Tell whether the argument has a value."""
    try:
        for argument in call.arguments:
            evaluator.value(argument)
    except HclError:
        return False
    return True


# These get expressions instead of values.
_LAZY: Mapping[str, Callable[[Evaluator, Call], Value]] = {"try": _try, "can": _can}
