"""``boxship volume cp``: files of a volume, whether or not a container has it; also to another."""

import posixpath
from typing import TYPE_CHECKING

from boxship.cli import kinds
from boxship.cli.exitcodes import FAILURE, ExitError
from boxship.cli.flags import Flag
from boxship.cli.session import Session
from boxship.cli.verb import TWO, Command, Invocation
from boxship.client import paths

if TYPE_CHECKING:
    from boxship.cli.filecopy import Place

FLAGS = (
    Flag("follow-link", "L", kinds.BOOL, "Copy what a link leads to"),
    Flag("quiet", "q", kinds.BOOL, "Don't say what was copied"),
)


def run(session: Session, given: Invocation) -> int:
    from boxship.cli.filecopy import Place, copy

    source, target = (Place.parse(argument, "volume") for argument in given.arguments)
    on = given.values.on
    if source.owner and target.owner:
        _between(session, source, target, follow=on("follow-link"))
    elif source.owner or target.owner:
        copy(session, source, target, follow=on("follow-link"), own=False, quiet=on("quiet"))
    else:
        raise ExitError(FAILURE, "one of the two must be in a volume: VOLUME:PATH")
    return 0


def _between(session: Session, source: "Place", target: "Place", *, follow: bool) -> None:
    """Send one volume's archive into a directory of the other, under the name it has."""
    client, path = session.client, source.path
    found = paths.path_stat(client, source.owner, path)
    if follow and found.is_link and found.link_target:
        path = found.link_target
    there = paths.path_stat(client, target.owner, target.path)
    if not there.is_directory:
        name = posixpath.basename(target.owner)
        raise ExitError(FAILURE, f'destination "{name}:{target.path}" must be a directory')
    other = client.beside()
    try:
        with paths.read_files(client, source.owner, path) as archive:
            paths.write_files(other, target.owner, target.path, archive)
    finally:
        other.close()


COMMAND = Command("[OPTIONS] VOLUME:PATH|PATH|- VOLUME:PATH|PATH|-", TWO, run, FLAGS)
