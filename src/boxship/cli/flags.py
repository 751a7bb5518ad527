"""Flags as docker's users write them, from tables (ADR 0011).

The syntax is that of Go's pflag::

    --name value   --name=value   --bool   --bool=false
    -n value       -nvalue        -n=value     -it = -i -t     -- ends the flags

A command that runs another (``run``, ``exec``) stops at its first argument; all others take flags
anywhere. A flag is declared once, as a ``Flag``; parsing, ``--help`` and completion read the table.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from boxship.base.errors import BoxshipError


class FlagError(BoxshipError):
    """The command line is not well formed; the text names the flag."""


class HelpRequested(Exception):  # noqa: N818 - a wish, not an error
    """``--help`` was given."""


class Kind(NamedTuple):
    """A type of flag value. ``parse`` raises ValueError with the reason."""

    label: str  # shown in --help
    parse: Callable[[str], Any]
    zero: Any  # the value of a flag that is not given and has no default
    repeats: bool = False  # each use adds to a tuple
    bare: str | None = None  # the value of ``--name`` alone; None: a value must follow


class Flag(NamedTuple):
    """One row of a command's table."""

    name: str
    short: str
    kind: Kind
    help: str
    default: Any = None
    hidden: bool = False
    target: str = ""  # the name under which the value is stored, for aliases

    @property
    def key(self) -> str:
        return self.target or self.name

    def __str__(self) -> str:
        return f"-{self.short}, --{self.name}" if self.short else f"--{self.name}"


class Values:
    """The values of one command line; asking for a flag that is not in the table is a KeyError."""

    def __init__(self, table: Sequence[Flag]) -> None:
        self._values: dict[str, Any] = {}
        self._changed: set[str] = set()
        for flag in table:
            if not flag.target:
                self._values[flag.name] = flag.kind.zero if flag.default is None else flag.default

    def set(self, flag: Flag, text: str) -> None:
        try:
            value = flag.kind.parse(text)
        except ValueError as error:
            raise FlagError(f'invalid argument "{text}" for "{flag}" flag: {error}') from error
        if flag.kind.repeats:
            added = value if isinstance(value, tuple) else (value,)
            before = self._values[flag.key] if flag.key in self._changed else ()
            value = (*before, *added)
        self._values[flag.key] = value
        self._changed.add(flag.key)

    def text(self, name: str) -> str:
        value = self._values[name]
        return value if isinstance(value, str) else str(value)

    def on(self, name: str) -> bool:
        return bool(self._values[name])

    def number(self, name: str) -> int:
        return int(self._values[name])

    def many(self, name: str) -> tuple[Any, ...]:
        value: tuple[Any, ...] = self._values[name]
        return value

    def one(self, name: str) -> Any:
        """What the flag's type made of it."""
        return self._values[name]

    def changed(self, name: str) -> bool:
        return name in self._changed


HELP = "help"


class Parser:
    """Splits arguments into flag values and positional arguments."""

    def __init__(self, table: Sequence[Flag], *, interspersed: bool = True) -> None:
        self._table = table
        self._interspersed = interspersed
        self._long = {flag.name: flag for flag in table}
        self._short = {flag.short: flag for flag in table if flag.short}

    def parse(self, arguments: Sequence[str]) -> tuple[Values, list[str]]:
        values = Values(self._table)
        positional: list[str] = []
        rest = iter(arguments)
        for argument in rest:
            if argument == "--":
                positional.extend(rest)
            elif argument.startswith("--"):
                self._parse_long(argument, rest, values)
            elif argument.startswith("-") and argument != "-":
                self._parse_short(argument, rest, values)
            else:
                positional.append(argument)
                if not self._interspersed:
                    positional.extend(rest)
        return values, positional

    def _parse_long(self, argument: str, rest: Iterator[str], values: Values) -> None:
        name, separator, value = argument[2:].partition("=")
        if not name or name.startswith("-"):
            raise FlagError(f"bad flag syntax: {argument}")
        flag = self._long.get(name)
        if flag is None:
            if name == HELP:
                raise HelpRequested
            raise FlagError(f"unknown flag: --{name}")
        if not separator:
            value = self._following(flag, rest, f"--{name}")
        values.set(flag, value)

    def _parse_short(self, argument: str, rest: Iterator[str], values: Values) -> None:
        letters = argument[1:]
        while letters:
            letter, letters = letters[0], letters[1:]
            flag = self._short.get(letter)
            if flag is None:
                if letter == "h":
                    raise HelpRequested
                raise FlagError(f"unknown shorthand flag: '{letter}' in {argument}")
            if letters.startswith("="):
                values.set(flag, letters[1:])
                return
            if flag.kind.bare is not None:
                values.set(flag, flag.kind.bare)
                continue
            if letters:
                values.set(flag, letters)
                return
            values.set(flag, self._following(flag, rest, f"'{letter}' in {argument}"))

    @staticmethod
    def _following(flag: Flag, rest: Iterator[str], place: str) -> str:
        if flag.kind.bare is not None:
            return flag.kind.bare
        value = next(rest, None)
        if value is None:
            raise FlagError(f"flag needs an argument: {place}")
        return value
