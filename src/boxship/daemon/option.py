"""What an option of the daemon is: its names, its form, what it means by default."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto

from boxship.base.errors import InvalidArgumentError
from boxship.daemon.jsontext import Path

Value = bool | int | str | tuple[str, ...] | dict[str, object] | None


class Kind(Enum):
    """The form of a value: on the command line, and in JSON."""

    FLAG = auto()
    NUMBER = auto()
    TEXT = auto()
    SIZE = auto()
    LIST = auto()
    MAP = auto()
    """``key=value`` on the command line, an object in JSON."""
    MAPS = auto()
    """``name=key=value`` on the command line, an object of objects in JSON."""
    POOLS = auto()
    """``base=CIDR,size=number`` on the command line, a list of such objects in JSON."""
    TREE = auto()
    """An object of any depth, in JSON alone."""
    OBJECT = auto()
    """JSON alone, or a flag whose value isn't looked at."""


class SettingError(InvalidArgumentError):
    """A value of an option is wrong, or one within it.

    ``path`` is where that would stand in ``daemon.json``: ``("runtimes", "x", "path")``.
    """

    def __init__(self, path: Path, message: str) -> None:
        super().__init__(message)
        self.path = path


Check = Callable[[Value], None]
"""Raises ValueError, which says what is wrong with a value and what is right."""


@dataclass(frozen=True, slots=True, eq=False)
class Option:
    """``key`` is the name in JSON (empty: command line only), ``flag`` without dashes likewise."""

    key: str
    flag: str
    kind: Kind
    default: Value
    help: str
    short: str = ""
    reload: bool = False
    idle: str = ""
    """Why it does nothing here, as is told at start-up; empty: it does something."""
    check: Check | None = None
    """What the value has to be beyond its form."""

    @property
    def name(self) -> str:
        return self.key or self.flag

    @property
    def effect(self) -> bool:
        return not self.idle


def flag(
    key: str, help_text: str, short: str = "", *, default: bool = False, reload: bool = False
) -> Option:
    return Option(key, key, Kind.FLAG, default, help_text, short, reload)


def number(
    key: str, default: int, help_text: str, *, reload: bool = False, check: Check | None = None
) -> Option:
    return Option(key, key, Kind.NUMBER, default, help_text, reload=reload, check=check)


def text(
    key: str,
    default: str,
    help_text: str,
    short: str = "",
    *,
    reload: bool = False,
    check: Check | None = None,
) -> Option:
    return Option(key, key, Kind.TEXT, default, help_text, short, reload, check=check)


def words(
    key: str,
    flag_name: str,
    help_text: str,
    short: str = "",
    *,
    reload: bool = False,
    check: Check | None = None,
) -> Option:
    return Option(key, flag_name, Kind.LIST, (), help_text, short, reload, check=check)
