"""Nodes and data to text."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from boxship.gotemplate import nodes
from boxship.gotemplate.errors import ExecutionError, FunctionError, MissingFieldError
from boxship.gotemplate.functions import FUNCTIONS, LAZY
from boxship.gotemplate.parser import Parsed
from boxship.gotemplate.values import NO_VALUE, field_of, go_kind, printed, truth

_DEEPEST = 100  # nested {{template}} calls; each takes four frames of Python's 1000

_ABSENT = object()  # no value is piped into a command


class _BreakLoop(Exception):  # noqa: N818 - control flow inside this module
    pass


class _ContinueLoop(Exception):  # noqa: N818
    pass


class Evaluator:
    """One execution of a template. ``strict``: a key that a map does not have is an error."""

    def __init__(
        self,
        parsed: Parsed,
        source: str,
        *,
        name: str = "",
        strict: bool = False,
        functions: Mapping[str, Callable[..., Any]] = FUNCTIONS,
    ) -> None:
        self._parsed = parsed
        self._source = source
        self._name = name
        self._strict = strict
        self._functions = functions
        self._out: list[str] = []
        self._scope: list[tuple[str, Any]] = []
        self._depth = 0

    def run(self, data: Any) -> str:
        self._scope = [("$", data)]
        self._block(self._parsed.main, data)
        return "".join(self._out)

    # Statements

    def _block(self, block: nodes.Block, dot: Any) -> None:
        mark = len(self._scope)
        for statement in block:
            self._statement(statement, dot)
        del self._scope[mark:]

    def _statement(self, statement: nodes.Statement, dot: Any) -> None:
        match statement:
            case nodes.Text():
                self._out.append(statement.source)
            case nodes.Action():
                value = self._pipeline(statement.pipeline, dot)
                if not statement.pipeline.variables:
                    self._out.append(printed(value))
            case nodes.If() | nodes.With():
                self._choice(statement, dot)
            case nodes.Range():
                self._range(statement, dot)
            case nodes.Call():
                self._call_template(statement, dot)
            case nodes.Break():
                raise _BreakLoop
            case nodes.Continue():
                raise _ContinueLoop

    def _choice(self, node: nodes.If | nodes.With, dot: Any) -> None:
        mark = len(self._scope)
        value = self._pipeline(node.pipeline, dot)
        if truth(value):
            self._block(node.then, value if isinstance(node, nodes.With) else dot)
        else:
            self._block(node.otherwise, dot)
        del self._scope[mark:]

    def _range(self, node: nodes.Range, dot: Any) -> None:
        mark = len(self._scope)
        value = self._pipeline(node.pipeline, dot, declare=False)
        pairs = list(self._pairs(node, value))
        try:
            for key, item in pairs:
                self._bind_loop(node.pipeline, key, item)
                with suppress(_ContinueLoop):
                    self._block(node.then, item)
                del self._scope[mark:]
        except _BreakLoop:
            pass
        del self._scope[mark:]
        if not pairs:
            self._block(node.otherwise, dot)

    def _pairs(self, node: nodes.Range, value: Any) -> Iterable[tuple[Any, Any]]:
        if value is None or value is NO_VALUE:
            return ()
        if isinstance(value, Mapping):
            return [(key, value[key]) for key in sorted(value)]
        if isinstance(value, int) and not isinstance(value, bool):
            return [(number, number) for number in range(value)]
        if isinstance(value, Sequence) and not isinstance(value, str):
            return list(enumerate(value))
        raise self._error(node, f"range can't iterate over {printed(value)}")

    def _bind_loop(self, pipeline: nodes.Pipeline, key: Any, item: Any) -> None:
        names = pipeline.variables
        values = (item,) if len(names) == 1 else (key, item)
        for name, value in zip(names, values, strict=False):
            if pipeline.assigns:
                self._assign(pipeline, name, value)
            else:
                self._scope.append((name, value))

    def _call_template(self, node: nodes.Call, dot: Any) -> None:
        block = self._parsed.named.get(node.name)
        if block is None:
            raise self._error(node, f'template "{node.name}" not defined')
        if self._depth >= _DEEPEST:
            raise self._error(node, "exceeded maximum template depth")
        data = self._pipeline(node.pipeline, dot) if node.pipeline else None
        scope, self._scope = self._scope, [("$", data)]
        self._depth += 1
        self._block(block, data)
        self._depth -= 1
        self._scope = scope

    # Pipelines

    def _pipeline(self, pipeline: nodes.Pipeline, dot: Any, *, declare: bool = True) -> Any:
        value: Any = _ABSENT
        for command in pipeline.commands:
            value = self._command(command, dot, value)
        if declare:
            for name in pipeline.variables:
                if pipeline.assigns:
                    self._assign(pipeline, name, value)
                else:
                    self._scope.append((name, value))
        return value

    def _assign(self, node: nodes.Node, name: str, value: Any) -> None:
        for position in range(len(self._scope) - 1, -1, -1):
            if self._scope[position][0] == name:
                self._scope[position] = (name, value)
                return
        raise self._error(node, f"undefined variable: {name}")

    def _command(self, command: nodes.Command, dot: Any, piped: Any) -> Any:
        first, *rest = command.operands
        if isinstance(first, nodes.Function):
            return self._function(first, rest, dot, piped)
        if isinstance(first, nodes.Field | nodes.Variable | nodes.Chain):
            return self._fields(first, rest, dot, piped)
        if rest or piped is not _ABSENT:
            raise self._error(command, f"can't give argument to non-function {first.source}")
        return self._operand(first, dot)

    def _operand(self, operand: nodes.Operand, dot: Any) -> Any:
        match operand:
            case nodes.Dot():
                return dot
            case nodes.Constant():
                return operand.value
            case nodes.Pipeline():
                return self._pipeline(operand, dot)
            case nodes.Function():
                return self._function(operand, [], dot, _ABSENT)
            case _:
                return self._fields(operand, [], dot, _ABSENT)

    def _fields(
        self,
        node: nodes.Field | nodes.Variable | nodes.Chain,
        rest: list[nodes.Operand],
        dot: Any,
        piped: Any,
    ) -> Any:
        match node:
            case nodes.Field():
                value = dot
            case nodes.Variable():
                value = self._variable(node)
            case nodes.Chain():
                value = self._operand(node.operand, dot)
        for depth, name in enumerate(node.names, start=1):
            is_last = depth == len(node.names)
            value = self._field(node, value, name)
            if callable(value):
                given = self._arguments(rest, dot, piped) if is_last else []
                return self._call(node, name, value, given)
        if rest or piped is not _ABSENT:
            name = node.names[-1] if node.names else node.source
            raise self._error(node, f"{name} is not a method but has arguments")
        return value

    def _variable(self, node: nodes.Variable) -> Any:
        for name, value in reversed(self._scope):
            if name == node.name:
                return value
        raise self._error(node, f"undefined variable: {node.name}")

    def _field(self, node: nodes.Node, value: Any, name: str) -> Any:
        try:
            return field_of(value, name, strict=self._strict)
        except MissingFieldError as error:
            raise self._error(node, str(error)) from error

    def _arguments(self, rest: list[nodes.Operand], dot: Any, piped: Any) -> list[Any]:
        values = [self._operand(operand, dot) for operand in rest]
        return values if piped is _ABSENT else [*values, piped]

    def _function(
        self, node: nodes.Function, rest: list[nodes.Operand], dot: Any, piped: Any
    ) -> Any:
        if node.name in LAZY:
            return self._short_circuit(node, rest, dot, piped)
        return self._call(
            node, node.name, self._functions[node.name], self._arguments(rest, dot, piped)
        )

    def _short_circuit(
        self, node: nodes.Function, rest: list[nodes.Operand], dot: Any, piped: Any
    ) -> Any:
        if not rest and piped is _ABSENT:
            raise self._error(node, f"wrong number of args for {node.name}: want at least 1 got 0")
        value: Any = _ABSENT
        for operand in rest:
            value = self._operand(operand, dot)
            if truth(value) is (node.name == "or"):
                return value
        return value if piped is _ABSENT else piped

    def _call(
        self, node: nodes.Node, name: str, function: Callable[..., Any], arguments: list[Any]
    ) -> Any:
        try:
            return function(*arguments)
        except TypeError as error:
            reason = f"wrong number or type of args for {name}: {len(arguments)} given"
            kinds = ", ".join(go_kind(argument) for argument in arguments)
            raise self._error(node, f"{reason} ({kinds})") from error
        except (FunctionError, MissingFieldError) as error:
            raise self._error(node, f"error calling {name}: {error}") from error

    def _error(self, node: nodes.Node, reason: str) -> ExecutionError:
        start = self._source.rfind("\n", 0, node.position) + 1
        line = self._source.count("\n", 0, node.position) + 1
        column = node.position - start
        source = node.source if len(node.source) <= 20 else f"{node.source[:20]}..."
        place = f"template: {self._name}:{line}:{column}"
        return ExecutionError(f'{place}: executing "{self._name}" at <{source}>: {reason}')
