"""A parsed template, ready to be applied to any number of values."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from boxship.gotemplate import nodes
from boxship.gotemplate.evaluator import Evaluator
from boxship.gotemplate.functions import FUNCTIONS
from boxship.gotemplate.parser import parse

WHOLE = "."  # among the fields: the value itself is used


class Template:
    """``Template("{{.Name}}").render({"Name": "x"})`` is ``"x"``.

    ``strict`` makes a missing map key an error instead of ``<no value>``.
    """

    def __init__(self, source: str, *, name: str = "", strict: bool = False) -> None:
        self._source = source
        self._name = name
        self._strict = strict
        self._parsed = parse(source, name)

    def render(self, data: Any, functions: Mapping[str, Callable[..., Any]] = FUNCTIONS) -> str:
        evaluator = Evaluator(
            self._parsed,
            self._source,
            name=self._name,
            strict=self._strict,
            functions=functions,
        )
        return evaluator.run(data)

    def fields(self) -> frozenset[str]:
        """The first names of all fields it asks for, to fetch only what is shown."""
        blocks = (self._parsed.main, *self._parsed.named.values())
        return frozenset(name for block in blocks for name in _fields_of_block(block))


def _fields_of_block(block: nodes.Block) -> Iterator[str]:
    for statement in block:
        match statement:
            case nodes.Action():
                yield from _fields_of(statement.pipeline)
            case nodes.If() | nodes.With() | nodes.Range():
                yield from _fields_of(statement.pipeline)
                yield from _fields_of_block(statement.then)
                yield from _fields_of_block(statement.otherwise)
            case nodes.Call():
                if statement.pipeline:
                    yield from _fields_of(statement.pipeline)
            case _:
                pass


def _fields_of(pipeline: nodes.Pipeline) -> Iterator[str]:
    for command in pipeline.commands:
        for operand in command.operands:
            match operand:
                case nodes.Field() | nodes.Variable():
                    yield from operand.names[:1] or (WHOLE,)
                case nodes.Dot():
                    yield WHOLE
                case nodes.Pipeline():
                    yield from _fields_of(operand)
                case nodes.Chain():
                    yield from operand.names[:1]
                    if isinstance(operand.operand, nodes.Pipeline):
                        yield from _fields_of(operand.operand)
                case _:
                    pass
