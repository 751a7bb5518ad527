"""What a verb declares about itself."""

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from boxship.cli.flags import Flag, Values

if TYPE_CHECKING:
    from boxship.cli.session import Session


class Arity(NamedTuple):
    """How many positional arguments a verb takes."""

    low: int
    high: int | None  # None: no limit

    def complaint(self, count: int) -> str:
        """Empty when ``count`` is right, else the rest of a sentence."""
        if self.low <= count and (self.high is None or count <= self.high):
            return ""
        if self.high == 0:
            return "accepts no arguments"
        if self.high == self.low:
            return f"requires {_arguments(self.low)}"
        if self.low and self.high is not None:
            return f"requires at least {self.low} and at most {_arguments(self.high)}"
        if count < self.low:
            return f"requires at least {_arguments(self.low)}"
        return f"requires at most {_arguments(self.high or 0)}"


def _arguments(count: int) -> str:
    return f"{count} argument" if count == 1 else f"{count} arguments"


NONE = Arity(0, 0)
ONE = Arity(1, 1)
TWO = Arity(2, 2)
SOME = Arity(1, None)


class Invocation(NamedTuple):
    """One parsed command line."""

    path: str  # as typed: "container ls", "ps"
    values: Values
    arguments: tuple[str, ...]


class Command(NamedTuple):
    """A verb: its usage, its flags and what it does. The exit code is the function's result.

    ``failure_code`` is the exit code for errors that are not the container's own: the verbs that
    pass on a container's code use 125, so that it cannot be taken for the container's.
    """

    usage: str  # behind the verb's name: "[OPTIONS] CONTAINER"
    arity: Arity
    run: "Callable[[Session, Invocation], int]"
    flags: tuple[Flag, ...] = ()
    interspersed: bool = True
    failure_code: int = 1
    about: str = ""  # paragraphs for --help beyond the summary
