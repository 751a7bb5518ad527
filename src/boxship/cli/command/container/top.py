"""``boxship top``."""

from boxship.cli.format.tabwriter import align
from boxship.cli.session import Session
from boxship.cli.verb import SOME, Command, Invocation
from boxship.client import containers

_MINIMUM = 20
_PADDING = 3


def run(session: Session, given: Invocation) -> int:
    name, *arguments = given.arguments
    processes = containers.top(session.client, name, arguments)
    rows = [processes["Titles"], *(processes.get("Processes") or ())]
    text = "".join("\t".join(row) + "\n" for row in rows)
    session.out.write(align(text, minimum=_MINIMUM, padding=_PADDING))
    return 0


COMMAND = Command("CONTAINER [ps OPTIONS]", SOME, run, interspersed=False)
