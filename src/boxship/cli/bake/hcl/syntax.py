"""The tree of an HCL file. Every node knows where it begins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

Value: TypeAlias = "str | bool | int | float | tuple[Value, ...] | dict[str, Value] | None"
"""What an expression can be worth."""


@dataclass(frozen=True, slots=True)
class Place:
    """A file, a line from 1 and a column from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line},{self.column}"


class HclError(Exception):
    """The text is wrong, or an expression has no value. The message begins with the place."""

    def __init__(self, problem: str, place: Place) -> None:
        super().__init__(f"{place}: {problem}")
        self.problem, self.place = problem, place


@dataclass(frozen=True, slots=True)
class Literal:
    """A value that was written down."""

    value: Value
    place: Place


@dataclass(frozen=True, slots=True)
class Name:
    """A variable."""

    name: str
    place: Place


@dataclass(frozen=True, slots=True)
class Attribute:
    """``of.name``."""

    of: Expression
    name: str
    place: Place


@dataclass(frozen=True, slots=True)
class Index:
    """``of[key]``."""

    of: Expression
    key: Expression
    place: Place


@dataclass(frozen=True, slots=True)
class Splat:
    """``of.*`` or ``of[*]``; ``each`` is applied to every element, which is :class:`Element`."""

    of: Expression
    each: Expression
    place: Place


@dataclass(frozen=True, slots=True)
class Element:
    """The element that a splat is at."""

    place: Place


@dataclass(frozen=True, slots=True)
class Call:
    """``name(arguments)``; ``spread`` is true if the last argument ends with ``...``."""

    name: str
    arguments: tuple[Expression, ...]
    spread: bool
    place: Place


@dataclass(frozen=True, slots=True)
class Unary:
    """``-x`` or ``!x``."""

    operator: str
    operand: Expression
    place: Place


@dataclass(frozen=True, slots=True)
class Binary:
    """``left operator right``."""

    operator: str
    left: Expression
    right: Expression
    place: Place


@dataclass(frozen=True, slots=True)
class Conditional:
    """``condition ? then : otherwise``."""

    condition: Expression
    then: Expression
    otherwise: Expression
    place: Place


@dataclass(frozen=True, slots=True)
class TupleOf:
    """``[a, b]``."""

    items: tuple[Expression, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class ObjectOf:
    """``{a = 1, (b) = 2}``."""

    items: tuple[tuple[Expression, Expression], ...]
    place: Place


@dataclass(frozen=True, slots=True)
class For:
    """``[for k, v in of : value if condition]``, or with a ``key`` ``{for … : key => value}``.

    ``group`` is ``...`` behind the value: values of one key become a tuple.
    """

    key_name: str
    value_name: str
    of: Expression
    key: Expression | None
    value: Expression
    condition: Expression | None
    group: bool
    place: Place


@dataclass(frozen=True, slots=True)
class Template:
    """Text with parts that are evaluated. A single part keeps the type of its value."""

    parts: tuple[Expression, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class TemplateFor:
    """``%{ for k, v in of }…%{ endfor }`` within a template."""

    key_name: str
    value_name: str
    of: Expression
    body: Template
    place: Place


Expression: TypeAlias = (
    Literal
    | Name
    | Attribute
    | Index
    | Splat
    | Element
    | Call
    | Unary
    | Binary
    | Conditional
    | TupleOf
    | ObjectOf
    | For
    | Template
    | TemplateFor
)


@dataclass(frozen=True, slots=True)
class Block:
    """``kind "label" { … }``."""

    kind: str
    labels: tuple[str, ...]
    body: Body
    place: Place


@dataclass(frozen=True, slots=True)
class Body:
    """Attributes and blocks of a file or of a block."""

    attributes: dict[str, Expression]
    blocks: tuple[Block, ...]
    place: Place
