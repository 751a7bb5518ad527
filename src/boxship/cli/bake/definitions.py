"""What bake files define: variables, functions, constants, groups and targets.

Constants and variables are evaluated when somebody asks for them, whichever file they are in, so
their order does not matter; a circle is an error. A variable's value comes from the environment if
it is set there, in the type of its default.
"""

import csv
import itertools
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial

from boxship.cli.bake.hcl.conversion import ConversionError, kind_of, to_bool, to_number, to_string
from boxship.cli.bake.hcl.evaluation import Evaluator, Function, FunctionError
from boxship.cli.bake.hcl.functions.encoding import from_python
from boxship.cli.bake.hcl.functions.table import FUNCTIONS
from boxship.cli.bake.hcl.syntax import (
    Block,
    Body,
    Expression,
    HclError,
    Literal,
    Name,
    Place,
    TupleOf,
    Value,
)
from boxship.cli.bake.hcl.types import convert
from boxship.cli.bake.target import FIELDS, FieldError, Target, converted, merged
from boxship.dockerfile.suggestions import nearest

_TARGET_NAME = re.compile(r"[a-zA-Z0-9_-]+")
BLOCKS = {"variable": 1, "function": 1, "group": 1, "target": 1}
"""Kinds of blocks, and how many labels each has."""
_MOST = 10_000


@dataclass(frozen=True, slots=True)
class Group:
    """Names of targets and of groups."""

    targets: tuple[str, ...]
    description: str = ""


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable that can be given; ``value`` is what it is worth now."""

    name: str
    value: Value
    description: str


@dataclass(slots=True)
class Definitions:
    """Everything that a list of files defines; later ones add to earlier ones.

    ``environment`` gives variables their values. ``constants`` are known beforehand.
    """

    environment: Mapping[str, str]
    constants: Mapping[str, Value] = field(default_factory=dict)
    _attributes: dict[str, Expression] = field(default_factory=dict)
    _variables: dict[str, Block] = field(default_factory=dict)
    _functions: dict[str, Block] = field(default_factory=dict)
    _groups: list[Block] = field(default_factory=list)
    _targets: list[Block] = field(default_factory=list)
    _known: dict[str, Value] = field(default_factory=dict)
    _asked: list[str] = field(default_factory=list)

    def add(self, body: Body) -> None:
        """Add a file's definitions; raise HclError for a block that bake does not know."""
        self._attributes |= body.attributes
        for block in body.blocks:
            if block.kind not in BLOCKS:
                hint = nearest(block.kind, BLOCKS)
                problem = f'bake has no block "{block.kind}"'
                raise HclError(f"{problem} ({hint})" if hint else problem, block.place)
            if len(block.labels) != BLOCKS[block.kind]:
                raise HclError(f'a {block.kind} has one name: {block.kind} "name"', block.place)
            if block.kind == "variable":
                self._variables[block.labels[0]] = block
            elif block.kind == "function":
                self._functions[block.labels[0]] = block
            else:
                (self._groups if block.kind == "group" else self._targets).append(block)

    def value_of(self, name: str, place: Place) -> Value:
        """Return the value of a variable or constant; raise HclError."""
        if name in self.constants:
            return self.constants[name]
        return self._once(name, place, partial(self._evaluated, name, place))

    def _once(self, key: str, place: Place, evaluate: Callable[[], Value]) -> Value:
        """Return a value that is evaluated at the first question; raise HclError for a circle."""
        if key not in self._known:
            if key in self._asked:
                circle = " needs ".join([*self._asked[self._asked.index(key) :], key])
                raise HclError(f"values in a circle: {circle}", place)
            self._asked.append(key)
            try:
                self._known[key] = evaluate()
            finally:
                self._asked.pop()
        return self._known[key]

    def names_blocks(self, name: str) -> bool:
        """Tell whether ``name.label.attribute`` is of a group or target."""
        return name in ("group", "target") and name not in (*self._attributes, *self._variables)

    def of_block(self, kind: str, label: str, name: str, place: Place) -> Value:
        """Return an attribute of a group or target as its block has it; raise HclError."""
        blocks = [
            b for b in (*self._groups, *self._targets) if (b.kind, b.labels[0]) == (kind, label)
        ]
        for block in reversed(blocks):
            expression = block.body.attributes.get(name)
            if expression is not None:
                key = f"{kind}.{label}.{name}"
                return self._once(key, place, partial(Evaluator(self).value, expression))
        known = [name for block in blocks for name in block.body.attributes]
        hint = nearest(name, known)
        problem = f'{kind} "{label}" has no "{name}"' if blocks else f'there is no {kind} "{label}"'
        raise HclError(f"{problem} ({hint})" if hint else problem, place)

    def _evaluated(self, name: str, place: Place) -> Value:
        if name in self._attributes:
            return Evaluator(self).value(self._attributes[name])
        if name in self._variables:
            return self._variable(self._variables[name])
        known = [*self._attributes, *self._variables, *self.constants]
        hint = nearest(name, known)
        problem = f'there is no variable named "{name}"'
        raise HclError(f"{problem} ({hint})" if hint else problem, place)

    def _variable(self, block: Block) -> Value:
        name, attributes = block.labels[0], block.body.attributes
        evaluator = Evaluator(self)
        default = attributes.get("default")
        value = None if default is None else evaluator.value(default)
        kind = attributes.get("type")
        given = self.environment.get(name)
        try:
            if given is not None:
                value = _given(given, value, typed=kind is not None)
            if kind is not None and value is not None:
                value = convert(value, kind)
        except (ConversionError, FunctionError) as error:
            raise HclError(f"the value of {name} does not fit: {error}", block.place) from None
        self._validate(block, evaluator.within({name: value}))
        return value

    def _validate(self, block: Block, evaluator: Evaluator) -> None:
        for one in block.body.blocks:
            condition = one.body.attributes.get("condition")
            if one.kind != "validation" or condition is None:
                raise HclError("a variable has only validation blocks, with a condition", one.place)
            if not to_bool(evaluator.value(condition)):
                message = one.body.attributes.get("error_message", Literal("", one.place))
                text = to_string(evaluator.value(message)) or "the condition is not met"
                raise HclError(f"{block.labels[0]}: {text}", one.place)

    def function(self, name: str, place: Place) -> Function:
        """Return a function, the files' own before the built-in ones; raise HclError."""
        if name in self._functions:
            return self._own_function(self._functions[name])
        if name in FUNCTIONS:
            return FUNCTIONS[name]
        hint = nearest(name, (*FUNCTIONS, *self._functions))
        problem = f'there is no function named "{name}"'
        raise HclError(f"{problem} ({hint})" if hint else problem, place)

    def _own_function(self, block: Block) -> Function:
        attributes = block.body.attributes
        names = [_word(one) for one in _items(attributes.get("params"), block)]
        rest = attributes.get("variadic_params")
        result = attributes.get("result")
        if result is None:
            raise HclError("a function needs a result", block.place)

        def call(*arguments: Value) -> Value:
            if len(arguments) < len(names) or (len(arguments) > len(names) and rest is None):
                raise FunctionError(f"takes {len(names)} arguments, not {len(arguments)}")
            local = dict(zip(names, arguments, strict=False))
            if rest is not None:
                local[_word(rest)] = tuple(arguments[len(names) :])
            return Evaluator(self, local).value(result)

        return call

    def variables(self) -> list[Variable]:
        """Return all variables with their values; constants, too, have to have one."""
        for name, expression in self._attributes.items():
            self.value_of(name, expression.place)
        found = []
        for name, block in self._variables.items():
            text = block.body.attributes.get("description")
            described = "" if text is None else to_string(Evaluator(self).value(text))
            found.append(Variable(name, self.value_of(name, block.place), described))
        return found

    def groups(self) -> dict[str, Group]:
        """Return all groups; of one that several files define all targets."""
        found: dict[str, Group] = {}
        for block in self._groups:
            evaluator = Evaluator(self)
            attributes = {n: evaluator.value(e) for n, e in block.body.attributes.items()}
            names = attributes.get("targets", ())
            if not isinstance(names, tuple):
                raise HclError("targets of a group are a list", block.place)
            earlier = found.get(block.labels[0], Group(()))
            targets = tuple(dict.fromkeys((*earlier.targets, *map(to_string, names))))
            text = to_string(attributes.get("description") or earlier.description)
            found[block.labels[0]] = Group(targets, text)
        return found

    def targets(self) -> tuple[dict[str, Target], dict[str, Group]]:
        """Return all targets, not yet with what they inherit, and the groups of matrices."""
        found: dict[str, Target] = {}
        matrices: dict[str, Group] = {}
        for block in self._targets:
            label, made = block.labels[0], list(self._expanded(block))
            for name, target in made:
                if not _TARGET_NAME.fullmatch(name):
                    problem = f'invalid name of a target "{name}": letters, digits, _ and -'
                    raise HclError(problem, block.place)
                found[name] = merged(found.get(name, Target()), target)
            if "matrix" in block.body.attributes:
                if len({name for name, _ in made}) != len(made):
                    raise HclError("two targets of the matrix have the same name", block.place)
                matrices[label] = Group(tuple(name for name, _ in made))
        return found, matrices

    def _expanded(self, block: Block) -> Iterator[tuple[str, Target]]:
        matrix = block.body.attributes.get("matrix")
        name = block.body.attributes.get("name")
        if matrix is None:
            if name is not None:
                raise HclError("only a target with a matrix has a name of its own", name.place)
            yield block.labels[0], self._target(block, Evaluator(self))
            return
        if name is None:
            raise HclError("a target with a matrix needs a name for each", matrix.place)
        for local in _combinations(Evaluator(self).value(matrix), matrix.place):
            evaluator = Evaluator(self, local)
            yield to_string(evaluator.value(name)), self._target(block, evaluator)

    def _target(self, block: Block, evaluator: Evaluator) -> Target:
        if block.body.blocks:
            raise HclError("a target has no blocks", block.body.blocks[0].place)
        values = {}
        for name, expression in block.body.attributes.items():
            if name in ("matrix", "name"):
                continue
            one = FIELDS.get(name)
            if one is None or one.name != name:
                hint = nearest(name, FIELDS)
                problem = f'a target has no attribute "{name}"'
                raise HclError(f"{problem} ({hint})" if hint else problem, expression.place)
            try:
                values[one.attribute] = converted(one, evaluator.value(expression))
            except (FieldError, ConversionError) as error:
                raise HclError(f"{name}: {error}", expression.place) from None
        return Target(**values)


def _items(one: Expression | None, block: Block) -> tuple[Expression, ...]:
    if one is None:
        return ()
    if not isinstance(one, TupleOf):
        raise HclError("params is a list of names", block.place)
    return one.items


def _word(one: Expression) -> str:
    """Return a name that stands for itself, written as a word or a text."""
    if isinstance(one, Name):
        return one.name
    return to_string(Evaluator(Definitions({})).value(one))


def _combinations(matrix: Value, place: Place) -> Iterator[dict[str, Value]]:
    """Yield each combination of a matrix's values; the first name's change fastest."""
    if not isinstance(matrix, dict) or not matrix:
        raise HclError("a matrix is an object of lists", place)
    columns: list[tuple[Value, ...]] = []
    count = 1
    for name, values in sorted(matrix.items(), reverse=True):
        if not isinstance(values, tuple) or not values:
            raise HclError(f"{name} of the matrix is a list that is not empty", place)
        columns.append(values)
        count *= len(values)
    if count > _MOST:
        raise HclError(f"the matrix makes {count} targets, more than {_MOST}", place)
    names = sorted(matrix, reverse=True)
    for values in itertools.product(*columns):
        yield dict(zip(names, values, strict=True))


def _given(text: str, default: Value, *, typed: bool) -> Value:
    """Return a variable's value from the environment, in the type of its default."""
    if isinstance(default, bool):
        return to_bool(text)
    if isinstance(default, int | float):
        return to_number(text)
    if isinstance(default, tuple) or (typed and text[:1] in "[{"):
        try:
            return from_python(json.loads(text))
        except ValueError:
            return tuple(next(csv.reader([text]), []))
    if isinstance(default, dict):
        try:
            return from_python(json.loads(text))
        except ValueError:
            raise ConversionError(f"{kind_of(default)} is given as JSON") from None
    return text
