"""ADD and COPY."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from boxship.dockerfile.errors import DockerfileError
from boxship.dockerfile.flags import Kind, read_flags
from boxship.dockerfile.instructions import Add, Copy, Heredoc
from boxship.dockerfile.lines import heredoc_word
from boxship.dockerfile.readers.statement import Statement, listed

_COMMON = {
    "chown": Kind.TEXT,
    "chmod": Kind.TEXT,
    "link": Kind.SWITCH,
    "exclude": Kind.LIST,
}
_ADD: Mapping[str, Kind] = _COMMON | {
    "checksum": Kind.TEXT,
    "keep-git-dir": Kind.SWITCH,
    "unpack": Kind.SWITCH,
}
_COPY: Mapping[str, Kind] = _COMMON | {"from": Kind.TEXT, "parents": Kind.SWITCH}


@dataclass(frozen=True, slots=True)
class _Paths:
    sources: tuple[str, ...]
    contents: tuple[Heredoc, ...]
    destination: str


def read_add(statement: Statement) -> Add:
    """Read ``ADD``."""
    paths = _paths(statement)
    flags = read_flags(statement.flags, _ADD)
    return Add(
        sources=paths.sources,
        contents=paths.contents,
        destination=paths.destination,
        chown=flags.text("chown"),
        chmod=flags.text("chmod"),
        link=flags.switch("link") or False,
        exclude=flags.all("exclude"),
        checksum=flags.text("checksum"),
        unpack=flags.switch("unpack"),
        keep_git_dir=flags.switch("keep-git-dir"),
        where=statement.where,
        code=statement.code,
    )


def read_copy(statement: Statement) -> Copy:
    """Read ``COPY``."""
    paths = _paths(statement)
    flags = read_flags(statement.flags, _COPY)
    origin = flags.text("from")
    if "$" in origin:
        raise DockerfileError(
            "variable expansion is not supported for --from",
            hint="define a new stage with FROM using ARG from global scope",
        )
    return Copy(
        sources=paths.sources,
        contents=paths.contents,
        destination=paths.destination,
        chown=flags.text("chown"),
        chmod=flags.text("chmod"),
        link=flags.switch("link") or False,
        exclude=flags.all("exclude"),
        origin=origin or None,
        parents=flags.switch("parents") or False,
        where=statement.where,
        code=statement.code,
    )


def _paths(statement: Statement) -> _Paths:
    arguments = listed(statement.rest)
    if len(arguments) < 2:
        only = "only one was provided" if arguments else "none was provided"
        raise DockerfileError(
            f"{statement.name} requires at least two arguments, but {only}. "
            "Destination could not be determined"
        )
    *sources, destination = arguments
    if statement.heredocs and heredoc_word(destination):
        raise DockerfileError(f"{statement.name} cannot accept a heredoc as a destination")
    bodies = {one.name: one for one in statement.heredocs}
    paths, contents = [], []
    for source in sources:
        opened = heredoc_word(source) if bodies else None
        if opened is None:
            paths.append(source)
        else:
            # A name that is opened twice has the last body twice: bodies are found by name.
            contents.append(replace(bodies[opened.name], expand=opened.expand))
    return _Paths(tuple(paths), tuple(contents), destination)
