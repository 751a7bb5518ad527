"""``boxship network audit``: beyond Docker, where containers connected to, or tried to."""

from collections.abc import Mapping
from typing import Any

from boxship.base.errors import InvalidArgumentError
from boxship.cli import kinds
from boxship.cli.flags import Flag
from boxship.cli.format.tabwriter import align
from boxship.cli.session import Session
from boxship.cli.verb import Arity, Command, Invocation
from boxship.client import networks

FLAGS = (
    Flag("denied", "", kinds.BOOL, "Only what was not allowed"),
    Flag("format", "", kinds.STRING, "How to print: table or json", default="table"),
    Flag("tail", "n", kinds.INT, "Only as many of the latest; 0 for all", default=100),
)
_HEADINGS = ("TIME", "CONTAINER", "VERDICT", "DESTINATION", "NAME", "TIMES")


def run(session: Session, given: Invocation) -> int:
    values = given.values
    form = values.text("format")
    if form not in ("table", "json"):
        raise InvalidArgumentError(f'unknown format "{form}": must be table or json')
    found = networks.audit(
        session.client,
        container=given.arguments[0] if given.arguments else "",
        verdict="deny" if values.on("denied") else "",
        limit=values.number("tail"),
    )
    if form == "json":
        from boxship.cli.format.rawjson import dump

        session.say(dump(found))
    else:
        rows = (_HEADINGS, *map(_row, found))
        text = "".join("\t".join(row) + "\n" for row in rows)
        session.out.write(align(text, minimum=0, padding=3))
    return 0


def _row(connection: Mapping[str, Any]) -> tuple[str, ...]:
    address, port = connection["destination"], connection["port"]
    host = f"[{address}]" if ":" in address else address
    where = f"{host}:{port}" if port else address
    return (
        connection["time"][:19].replace("T", " "),
        connection["name"],
        connection["verdict"],
        f"{where}/{connection['protocol']}",
        " ".join(connection["names"]) or "-",
        str(connection["repeated"] + 1),
    )


COMMAND = Command(
    "[OPTIONS] [CONTAINER]",
    Arity(0, 1),
    run,
    FLAGS,
    about="New connections of containers with egress rules, oldest first. The same one again\n"
    "within a second is counted and not shown. Times are UTC.",
)
