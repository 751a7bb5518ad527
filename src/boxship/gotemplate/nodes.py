"""What a template is made of, once parsed. ``source`` is the text of a node, for messages."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Node:
    position: int
    source: str


# Operands


@dataclass(frozen=True, slots=True)
class Dot(Node):
    pass


@dataclass(frozen=True, slots=True)
class Constant(Node):
    """A string, number, character or boolean, or nil."""

    value: str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Field(Node):
    """``.A.B``, from the dot."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Variable(Node):
    """``$x.A``; ``$`` alone is the data."""

    name: str
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Function(Node):
    name: str


@dataclass(frozen=True, slots=True)
class Chain(Node):
    """``(pipeline).A.B``."""

    operand: "Operand"
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Command(Node):
    """An operand, or a function or method with arguments."""

    operands: tuple["Operand", ...]


@dataclass(frozen=True, slots=True)
class Pipeline(Node):
    """``$x, $y := command | command``."""

    commands: tuple[Command, ...]
    variables: tuple[str, ...] = ()
    assigns: bool = False  # ``=`` instead of ``:=``


Operand = Dot | Constant | Field | Variable | Function | Chain | Pipeline

# Statements


@dataclass(frozen=True, slots=True)
class Text(Node):
    pass


@dataclass(frozen=True, slots=True)
class Action(Node):
    pipeline: Pipeline


@dataclass(frozen=True, slots=True)
class If(Node):
    pipeline: Pipeline
    then: "Block"
    otherwise: "Block"


@dataclass(frozen=True, slots=True)
class With(Node):
    pipeline: Pipeline
    then: "Block"
    otherwise: "Block"


@dataclass(frozen=True, slots=True)
class Range(Node):
    pipeline: Pipeline
    then: "Block"
    otherwise: "Block"


@dataclass(frozen=True, slots=True)
class Call(Node):
    """``{{template "name" pipeline}}``."""

    name: str
    pipeline: Pipeline | None


@dataclass(frozen=True, slots=True)
class Break(Node):
    pass


@dataclass(frozen=True, slots=True)
class Continue(Node):
    pass


Statement = Text | Action | If | With | Range | Call | Break | Continue
Block = tuple[Statement, ...]
