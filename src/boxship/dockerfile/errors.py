"""What is wrong with a Dockerfile: the message, the place, and what may have been meant."""

from boxship.base.errors import InvalidArgumentError
from boxship.dockerfile.places import NOWHERE, Range, excerpt


class DockerfileError(InvalidArgumentError):
    """The text of a Dockerfile is wrong.

    ``problem`` says what, without the place; ``hint`` is what may have been meant, or empty.
    ``str(error)`` is one line in the form that Docker's clients know.
    """

    def __init__(self, problem: str, where: Range = NOWHERE, *, hint: str = "") -> None:
        self.problem, self.where, self.hint = problem, where, hint
        super().__init__(self._line())

    def _line(self) -> str:
        hint = f" ({self.hint})" if self.hint else ""
        if self.where == NOWHERE:
            return f"{self.problem}{hint}"
        place = f"{self.where.file} line" if self.where.file else "line"
        return f"dockerfile parse error on {place} {self.where.line_start}: {self.problem}{hint}"

    def at(self, where: Range) -> "DockerfileError":
        """Return the error with its place, if it has none yet."""
        if self.where != NOWHERE:
            return self
        return DockerfileError(self.problem, where, hint=self.hint)

    def shown_in(self, text: str, name: str = "Dockerfile") -> str:
        """Write the error below the lines of ``text`` around it; ``text`` is the file it is in."""
        lines = excerpt(self.where.file or name, text, [self.where])
        return f"{lines}\n{self}" if lines else str(self)


class ExpansionError(DockerfileError):
    """A variable can't be replaced: its reference is malformed, or it is required and unset."""


class IncludesWantedError(DockerfileError):
    """Files that INCLUDE names are not at hand: fetch ``names`` and read again.

    The names are paths from the directory that the Dockerfile's own name is relative to. The place
    is the first INCLUDE; a file that nobody has makes this the error to show.
    """

    def __init__(self, names: tuple[str, ...], where: Range) -> None:
        self.names = names
        super().__init__(f"INCLUDE names what is not there: {', '.join(names)}", where)
