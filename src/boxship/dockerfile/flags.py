"""Options between an instruction's name and its arguments: ``--name=value``."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from boxship.dockerfile.errors import DockerfileError
from boxship.dockerfile.shellwords import WHITESPACE
from boxship.dockerfile.suggestions import nearest


class Kind(Enum):
    """What values an option takes."""

    TEXT = "text"
    SWITCH = "switch"
    LIST = "list"


@dataclass(frozen=True, slots=True)
class Flags:
    """The options of one instruction, read."""

    values: Mapping[str, tuple[str, ...]]

    def text(self, name: str) -> str:
        """Return the value of a text option; empty if it was not given."""
        return self.values.get(name, ("",))[-1]

    def given(self, name: str) -> str | None:
        """Return the value of a text option; ``None`` if it was not given."""
        return self.values[name][-1] if name in self.values else None

    def switch(self, name: str) -> bool | None:
        """Return a switch; ``None`` if it was not given."""
        return self.values[name][-1] == "true" if name in self.values else None

    def all(self, name: str) -> tuple[str, ...]:
        """Return the values of an option that may be repeated."""
        return self.values.get(name, ())


def split_flags(rest: str) -> tuple[list[str], str]:
    """Split what follows an instruction's name into options, without quotes, and arguments."""
    flags: list[str] = []
    at = 0
    while True:
        while at < len(rest) and rest[at] in WHITESPACE:
            at += 1
        if not rest.startswith("--", at):
            return flags, rest[at:]
        word, at = _flag_word(rest, at)
        if word == "--":
            return flags, rest[at:]
        flags.append(word)


def _flag_word(rest: str, at: int) -> tuple[str, int]:
    """Read one word; quotes and backslashes are as in a shell, whatever the escape character."""
    word, quote = "", ""
    while at < len(rest):
        character = rest[at]
        if not quote and character in WHITESPACE:
            break
        at += 1
        if character == "\\":
            word += rest[at : at + 1]
            at += 1
        elif quote:
            if character == quote:
                quote = ""
            else:
                word += character
        elif character in "'\"":
            quote = character
        else:
            word += character
    return word, at


def read_flags(words: list[str], allowed: Mapping[str, Kind]) -> Flags:
    """Check the options of an instruction; raise :class:`DockerfileError`."""
    values: dict[str, tuple[str, ...]] = {}
    for word in words:
        name, separator, value = word.removeprefix("--").partition("=")
        kind = allowed.get(name)
        if kind is None:
            raise DockerfileError(f"unknown flag: {name}", hint=nearest(name, allowed, "--"))
        if name in values and kind is not Kind.LIST:
            raise DockerfileError(f"duplicate flag specified: {name}")
        if kind is Kind.SWITCH:
            value = _switch(name, separator, value)
        elif not separator:
            raise DockerfileError(
                f"missing a value on flag: {name}", hint=f"it is --{name}=<value>"
            )
        values[name] = (*values.get(name, ()), value)
    return Flags(values)


def _switch(name: str, separator: str, value: str) -> str:
    if separator and not value:
        raise DockerfileError(f"missing a value on flag: {name}")
    if value.lower() not in ("", "true", "false"):
        raise DockerfileError(f"expecting boolean value for flag {name}, not: {value}")
    return value.lower() or "true"
