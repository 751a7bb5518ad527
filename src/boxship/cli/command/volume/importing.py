"""``boxship volume import``: a new volume of a tar."""

from boxship.cli.archive import check_readable, read_pieces
from boxship.cli.command.container.flags import LABEL
from boxship.cli.flags import Flag
from boxship.cli.session import Session
from boxship.cli.verb import Arity, Command, Invocation
from boxship.client import volumes

FLAGS = (Flag("label", "", LABEL, "Label as key=value"),)


def run(session: Session, given: Invocation) -> int:
    path, name = given.arguments[0], given.arguments[1] if len(given.arguments) > 1 else ""
    if path != "-":
        check_readable(path)
    labels = given.values.many("label")
    session.say(volumes.import_(session.client, name, read_pieces(path), labels)["Name"])
    return 0


COMMAND = Command("[OPTIONS] FILE|- [VOLUME]", Arity(1, 2), run, FLAGS)
