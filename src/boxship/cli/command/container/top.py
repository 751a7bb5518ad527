"""``boxship top``: the processes of a container, or without one a live table of all of them."""

from boxship.base.errors import InvalidArgumentError
from boxship.cli import kinds
from boxship.cli.flags import Flag
from boxship.cli.format.tabwriter import align
from boxship.cli.session import Session
from boxship.cli.verb import Arity, Command, Invocation
from boxship.client import containers

_MINIMUM = 20
_PADDING = 3

FLAGS = (
    Flag("interval", "", kinds.INT, "Without a container: seconds between two looks", default=1),
    Flag("no-stream", "", kinds.BOOL, "Without a container: print the table once"),
    Flag("sort", "", kinds.STRING, "Without a container: by cpu, memory, network, disk …"),
)
ABOUT = """\
Without a container: a table of all that run, with their processors, memory, network and
disk, drawn again and again; keys sort it, q leaves. Behind the container's name stands what
ps(1) is asked: boxship top web -o pid,comm."""


def run(session: Session, given: Invocation) -> int:
    if not given.arguments:
        return _live(session, given)
    name, *arguments = given.arguments
    processes = containers.top(session.client, name, arguments)
    rows = [processes["Titles"], *(processes.get("Processes") or ())]
    text = "".join("\t".join(row) + "\n" for row in rows)
    session.out.write(align(text, minimum=_MINIMUM, padding=_PADDING))
    return 0


def _live(session: Session, given: Invocation) -> int:
    from boxship.cli.command.container import livetop
    from boxship.cli.format.livetable import ORDERS

    order = given.values.text("sort") or "cpu"
    if order not in ORDERS:
        raise InvalidArgumentError(f"invalid --sort: {order} (one of {', '.join(ORDERS)})")
    interval = given.values.number("interval")
    if interval < 1:
        raise InvalidArgumentError(f"invalid --interval: {interval} (1 second or more)")
    return livetop.run(session, order=order, interval=interval, once=given.values.on("no-stream"))


COMMAND = Command(
    "[OPTIONS] [CONTAINER [ps OPTIONS]]",
    Arity(0, None),
    run,
    FLAGS,
    interspersed=False,
    about=ABOUT,
)
