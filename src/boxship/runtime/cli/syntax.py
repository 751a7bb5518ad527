"""Flags and arguments, by tables. Flags may be written with one dash or two, as runc's can."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SWITCH, TEXT, NUMBER, TEXTS = "switch", "text", "number", "texts"


class UsageError(ValueError):
    """The command line makes no sense; ``str()`` is for the one who typed it."""


class Flag:
    """One flag: ``names`` without dashes, the first of which is what it is asked by."""

    __slots__ = ("default", "help", "kind", "names")

    def __init__(
        self, names: str, kind: str = SWITCH, help_text: str = "", default: str = ""
    ) -> None:
        self.names: tuple[str, ...] = tuple(names.split())
        self.kind, self.help, self.default = kind, help_text, default


class Verb:
    """One verb; ``operands`` is what a person reads, with a count of those needed."""

    __slots__ = ("flags", "help", "interspersed", "most", "name", "needed", "operands", "sealed")

    def __init__(
        self,
        name: str,
        help_text: str,
        operands: str = "ID",
        needed: int = 1,
        flags: Sequence[Flag] = (),
        *,
        most: int | None = None,
        sealed: bool = False,
        interspersed: bool = True,
    ) -> None:
        self.name, self.help, self.operands, self.needed = name, help_text, operands, needed
        self.flags: tuple[Flag, ...] = tuple(flags)
        self.most = needed if most is None else most
        """How many operands there may be; less than 0: any number."""
        self.sealed = sealed
        """Whether it makes processes that enter containers."""
        self.interspersed = interspersed
        """Whether flags may follow operands."""

    def check(self, operands: Sequence[str]) -> None:
        """Raise UsageError when there are too few operands, or too many."""
        count = len(operands)
        if self.needed <= count and (count <= self.most or self.most < 0):
            return
        if self.most == self.needed:
            wanted = f"requires exactly {self.needed} argument(s)"
        elif count < self.needed:
            wanted = f"requires a minimum of {self.needed} argument(s)"
        else:
            wanted = f"requires a maximum of {self.most} argument(s)"
        raise UsageError(f'"{self.name}" {wanted}: {self.operands or "none"}')


class Arguments:
    """What was given."""

    __slots__ = ("_defaults", "_values", "operands")

    def __init__(
        self, values: Mapping[str, list[str]], defaults: Mapping[str, str], operands: list[str]
    ) -> None:
        self._values, self._defaults, self.operands = values, defaults, operands

    def given(self, name: str) -> bool:
        return name in self._values

    def switch(self, name: str) -> bool:
        text = self._values.get(name, [self._defaults[name] or "false"])[-1]
        if text.lower() in ("true", "1", "t"):
            return True
        if text.lower() in ("false", "0", "f"):
            return False
        raise UsageError(f"--{name}: true or false expected, not {text!r}")

    def text(self, name: str) -> str:
        return self._values.get(name, [self._defaults[name]])[-1]

    def texts(self, name: str) -> tuple[str, ...]:
        return tuple(self._values.get(name, ()))

    def number(self, name: str) -> int:
        text = self.text(name) or "0"
        try:
            return int(text, 0)
        except ValueError:
            raise UsageError(f"--{name}: a whole number expected, not {text!r}") from None


def parse(flags: Sequence[Flag], words: Sequence[str], *, interspersed: bool) -> Arguments:
    """Read ``words``; raise UsageError. ``--`` ends the flags."""
    known = {name: flag for flag in flags for name in flag.names}
    values: dict[str, list[str]] = {}
    operands: list[str] = []
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word == "--":
            operands += rest
            break
        if len(word) < 2 or word[0] != "-":
            operands.append(word)
            if not interspersed:
                operands += rest
                break
            continue
        name, given, value = word.lstrip("-").partition("=")
        flag = known.get(name)
        if flag is None:
            raise UsageError(f"flag provided but not defined: {word}")
        if not given:
            value = _value_of(flag, word, rest)
        values.setdefault(flag.names[0], []).append(value)
    return Arguments(values, {flag.names[0]: flag.default for flag in flags}, operands)


def _value_of(flag: Flag, word: str, rest: list[str]) -> str:
    if flag.kind == SWITCH:
        return "true"
    if not rest:
        raise UsageError(f"flag needs an argument: {word}")
    return rest.pop(0)
