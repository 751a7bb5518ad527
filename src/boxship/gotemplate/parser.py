"""Tokens to nodes, by recursive descent.

::

    block      = { text | "{{" action "}}" }
    action     = "if" pipeline | "with" pipeline | "range" pipeline | "define" string
               | "block" string pipeline | "template" string [pipeline]
               | "break" | "continue" | pipeline
    pipeline   = [ variable {"," variable} (":=" | "=") ] command { "|" command }
    command    = operand { space operand }
    operand    = ( "." | constant | name | variable | field | "(" pipeline ")" ) { field }
"""

import ast
from dataclasses import dataclass, field

from boxship.gotemplate import nodes
from boxship.gotemplate.errors import ParseError
from boxship.gotemplate.functions import FUNCTIONS
from boxship.gotemplate.lexer import T, Token, line_of, tokens

_KEYWORDS = frozenset(
    ("if", "else", "end", "range", "with", "define", "block", "template", "break", "continue")
)

_CONTROLS: dict[str, type[nodes.If | nodes.With | nodes.Range]] = {
    "if": nodes.If,
    "with": nodes.With,
    "range": nodes.Range,
}


@dataclass(frozen=True, slots=True)
class Parsed:
    main: nodes.Block
    named: dict[str, nodes.Block] = field(default_factory=dict)


def parse(source: str, name: str = "") -> Parsed:
    """Raise ParseError with the line for a template that is not well formed."""
    return _Parser(source, name).parse()


class _Parser:
    def __init__(self, source: str, name: str) -> None:
        self._source = source
        self._name = name
        self._tokens = list(tokens(source, name))
        self._next = 0
        self._named: dict[str, nodes.Block] = {}
        self._variables = ["$"]
        self._loops = 0

    def parse(self) -> Parsed:
        block, ended_by = self._block()
        if ended_by.kind is not T.END:
            raise self._error(f"unexpected {{{{{ended_by.text}}}}}", ended_by)
        return Parsed(block, self._named)

    # Tokens

    def _peek(self) -> Token:
        return self._tokens[self._next]

    def _take(self) -> Token:
        token = self._tokens[self._next]
        if token.kind is not T.END:
            self._next += 1
        return token

    def _skip_space(self) -> Token:
        while self._peek().kind is T.SPACE:
            self._next += 1
        return self._peek()

    def _expect(self, kind: T, where: str) -> Token:
        self._skip_space()
        token = self._take()
        if token.kind is not kind:
            raise self._error(f"unexpected {_shown(token)} in {where}", token)
        return token

    def _error(self, reason: str, token: Token) -> ParseError:
        line = line_of(self._source, token.position)
        return ParseError(f"template: {self._name}:{line}: {reason}")

    def _text(self, start: int) -> str:
        return self._source[start : self._tokens[self._next].position].strip()

    # Statements

    def _block(self) -> tuple[nodes.Block, Token]:
        """Statements up to ``end``, ``else`` or the end of the text; returns what ended them."""
        statements: list[nodes.Statement] = []
        while True:
            token = self._take()
            if token.kind is T.END:
                return tuple(statements), token
            if token.kind is T.TEXT:
                statements.append(nodes.Text(token.position, token.text))
                continue
            self._skip_space()
            keyword = self._peek()
            if keyword.kind is T.NAME and keyword.text in ("end", "else"):
                self._take()
                return tuple(statements), keyword
            statement = self._statement(keyword)
            if statement is not None:
                statements.append(statement)

    def _statement(self, token: Token) -> nodes.Statement | None:
        if token.kind is T.NAME and token.text in _KEYWORDS:
            self._take()
            return self._keyword(token)
        pipeline = self._pipeline("command")
        self._expect(T.RIGHT, "command")
        return nodes.Action(token.position, pipeline.source, pipeline)

    def _keyword(self, token: Token) -> nodes.Statement | None:
        if token.text in ("if", "with", "range"):
            return self._control(token)
        if token.text in ("break", "continue"):
            self._expect(T.RIGHT, token.text)
            if not self._loops:
                raise self._error(f"{{{{{token.text}}}}} outside {{{{range}}}}", token)
            if token.text == "break":
                return nodes.Break(token.position, token.text)
            return nodes.Continue(token.position, token.text)
        return self._template(token)

    def _control(self, token: Token) -> nodes.Statement:
        scope = len(self._variables)
        pipeline = self._pipeline(token.text)
        self._expect(T.RIGHT, token.text)
        self._loops += token.text == "range"
        then, ended_by = self._block()
        self._loops -= token.text == "range"
        otherwise: nodes.Block = ()
        if ended_by.text == "else" and ended_by.kind is T.NAME:
            otherwise = self._otherwise(token)
        elif ended_by.kind is T.END:
            raise self._error("unexpected EOF", ended_by)
        else:
            self._expect(T.RIGHT, "end")
        del self._variables[scope:]
        kind = _CONTROLS[token.text]
        return kind(token.position, pipeline.source, pipeline, then, otherwise)

    def _otherwise(self, token: Token) -> nodes.Block:
        following = self._skip_space()
        if following.kind is T.NAME and following.text == token.text != "range":
            self._take()
            return (self._control(following),)
        self._expect(T.RIGHT, "else")
        block, ended_by = self._block()
        if ended_by.kind is T.END:
            raise self._error("unexpected EOF", ended_by)
        if ended_by.text != "end":
            raise self._error(f"expected end; found {{{{{ended_by.text}}}}}", ended_by)
        self._expect(T.RIGHT, "end")
        return block

    def _template(self, token: Token) -> nodes.Statement | None:
        """``define``, ``block`` and ``template``."""
        name = str(_unquote(self._expect(T.STRING, f"{token.text} clause")))
        pipeline = None
        if token.text != "define" and self._skip_space().kind is not T.RIGHT:
            pipeline = self._pipeline(token.text)
        self._expect(T.RIGHT, f"{token.text} clause")
        if token.text != "template":
            variables, self._variables = self._variables, ["$"]
            self._named[name], ended_by = self._block()
            self._variables = variables
            if ended_by.text != "end" or ended_by.kind is T.END:
                raise self._error(f"unexpected {_shown(ended_by)} in {token.text}", ended_by)
            self._expect(T.RIGHT, "end")
        return None if token.text == "define" else nodes.Call(token.position, name, name, pipeline)

    # Pipelines

    def _pipeline(self, where: str) -> nodes.Pipeline:
        start = self._skip_space().position
        variables, assigns = self._declaration(where)
        commands = [self._command(where)]
        while self._skip_space().kind is T.PIPE:
            self._take()
            commands.append(self._command(where))
        if not assigns:
            self._variables += variables
        return nodes.Pipeline(start, self._text(start), tuple(commands), variables, assigns)

    def _declaration(self, where: str) -> tuple[tuple[str, ...], bool]:
        before = self._next
        names: list[str] = []
        while self._skip_space().kind is T.VARIABLE:
            names.append(self._take().text)
            separator = self._skip_space()
            if separator.kind is T.COMMA and where == "range" and len(names) == 1:
                self._take()
                continue
            if separator.kind in (T.DECLARE, T.ASSIGN):
                self._take()
                return tuple(names), separator.kind is T.ASSIGN
            break
        self._next = before
        return (), False

    def _command(self, where: str) -> nodes.Command:
        start = self._skip_space().position
        operands: list[nodes.Operand] = []
        while self._skip_space().kind not in (T.PIPE, T.RIGHT, T.CLOSE):
            operands.append(self._operand(where))
            if self._peek().kind not in (T.SPACE, T.PIPE, T.RIGHT, T.CLOSE):
                raise self._error(f"unexpected {_shown(self._peek())} in operand", self._peek())
        if not operands:
            raise self._error(f"missing value for {where}", self._peek())
        return nodes.Command(start, self._text(start), tuple(operands))

    def _operand(self, where: str) -> nodes.Operand:
        token = self._take()
        start = token.position
        operand = self._term(token, where)
        names: list[str] = []
        while self._peek().kind is T.FIELD:
            names.append(self._take().text[1:])
        if not names:
            return operand
        source = self._text(start)
        if isinstance(operand, nodes.Field):
            return nodes.Field(start, source, (*operand.names, *names))
        if isinstance(operand, nodes.Variable):
            return nodes.Variable(start, source, operand.name, tuple(names))
        if isinstance(operand, nodes.Constant):
            raise self._error(f"unexpected . after term {token.text!r}", token)
        return nodes.Chain(start, source, operand, tuple(names))

    def _term(self, token: Token, where: str) -> nodes.Operand:
        start, text = token.position, token.text
        match token.kind:
            case T.DOT:
                return nodes.Dot(start, text)
            case T.FIELD:
                return nodes.Field(start, text, (text[1:],))
            case T.VARIABLE:
                if text not in self._variables:
                    raise self._error(f'undefined variable "{text}"', token)
                return nodes.Variable(start, text, text, ())
            case T.STRING | T.CHARACTER:
                return nodes.Constant(start, text, self._unquoted(token))
            case T.NUMBER:
                return nodes.Constant(start, text, self._number(token))
            case T.NAME:
                return self._named_term(token)
            case T.OPEN:
                pipeline = self._pipeline("parenthesized pipeline")
                self._expect(T.CLOSE, "parenthesized pipeline")
                return pipeline
            case _:
                raise self._error(f"unexpected {_shown(token)} in {where}", token)

    def _named_term(self, token: Token) -> nodes.Operand:
        constants = {"true": True, "false": False, "nil": None}
        if token.text in constants:
            return nodes.Constant(token.position, token.text, constants[token.text])
        if token.text in _KEYWORDS:
            raise self._error(f"unexpected <{token.text}> in command", token)
        if token.text not in FUNCTIONS:
            raise self._error(f'function "{token.text}" not defined', token)
        return nodes.Function(token.position, token.text, token.text)

    def _unquoted(self, token: Token) -> str | int:
        try:
            return _unquote(token)
        except (ValueError, SyntaxError) as error:
            raise self._error(f"invalid syntax: {token.text}", token) from error

    def _number(self, token: Token) -> int | float:
        text = token.text.replace("_", "")
        try:
            digits = text.lstrip("+-")
            if len(digits) > 1 and digits[0] == "0" and digits.isdigit():
                return int(text, 8)
            return int(text, 0)
        except ValueError:
            pass
        try:
            return float(text)
        except ValueError as error:
            raise self._error(f'bad number syntax: "{token.text}"', token) from error


def _unquote(token: Token) -> str | int:
    """The value of a Go string or character constant; the escapes are Python's as well."""
    if token.text.startswith("`"):
        return token.text[1:-1]
    value: str = ast.literal_eval(token.text)
    if token.kind is T.CHARACTER:
        if len(value) != 1:
            raise ValueError("more than one character")
        return ord(value)
    return value


def _shown(token: Token) -> str:
    return "EOF" if token.kind is T.END else f'"{token.text}"' if token.text else token.kind.value
