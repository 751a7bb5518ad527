"""How builds fail, as errors that know the place in the Dockerfile."""

from dataclasses import dataclass

from boxship.base.errors import BoxshipError, InvalidArgumentError, NotFoundError
from boxship.engine.build.progress import LineRange, SourceText
from boxship.oci.digest import Digest


@dataclass(frozen=True, slots=True)
class Place:
    """Where in which file it went wrong."""

    source: SourceText
    ranges: tuple[LineRange, ...]


class InvalidDockerfileError(InvalidArgumentError):
    """The Dockerfile itself, or what it asks for, is wrong. ``str()`` names file, line and hint."""

    def __init__(self, message: str, place: Place | None = None) -> None:
        super().__init__(message)
        self.place = place


class MissingSourceError(NotFoundError):
    """Nothing is where files are to be copied from. ``path`` is absolute, or a pattern."""

    def __init__(self, path: str) -> None:
        super().__init__(f'"{path}": not found')
        self.path = path


class BuildCancelledError(BoxshipError):
    """Somebody else has ended the build."""


class StepFailedError(BoxshipError):
    """A step ended with an error. ``exit_code`` is 0 where no program ran."""

    def __init__(
        self,
        message: str,
        *,
        vertex: Digest,
        command: str = "",
        exit_code: int = 0,
        place: Place | None = None,
        kept_image: str = "",
    ) -> None:
        super().__init__(message)
        self.vertex = vertex
        self.command = command
        self.exit_code = exit_code
        self.place = place
        self.kept_image = kept_image


def excerpt(place: Place, around: int = 4) -> str:
    """Return the lines around a place, as BuildKit's clients print them::

    Dockerfile:3
    --------------------
       1 |     FROM busybox
       2 |
       3 | >>> RUN false
    --------------------
    """
    lines = place.source.data.decode(errors="replace").splitlines()
    marked = {n for each in place.ranges for n in range(each.start, each.end + 1)}
    if not marked:
        return ""
    first, last = max(1, min(marked) - around), min(len(lines), max(marked) + around)
    rule = "-" * 20
    rows = [f"{place.source.filename}:{min(marked)}", rule]
    for number in range(first, last + 1):
        mark = ">>>" if number in marked else "   "
        rows.append(f"{number:4d} | {mark} {lines[number - 1]}".rstrip())
    return "\n".join([*rows, rule]) + "\n"
