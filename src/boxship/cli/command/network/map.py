"""``boxship network map``: beyond Docker, a drawing of what is on which network."""

import sys
from dataclasses import asdict
from shutil import get_terminal_size

from boxship.base.errors import InvalidArgumentError, NotFoundError
from boxship.cli import kinds
from boxship.cli.exitcodes import FAILURE
from boxship.cli.flags import Flag
from boxship.cli.format.networkmap import ASCII, UNICODE, Signs, draw
from boxship.cli.format.networkpicture import DrawnNetwork, picture
from boxship.cli.session import Session
from boxship.cli.verb import Arity, Command, Invocation
from boxship.client import containers, networks

FLAGS = (
    Flag("all", "a", kinds.BOOL, "Draw stopped containers too"),
    Flag("format", "", kinds.STRING, "How to print: text or json", default="text"),
    Flag("width", "", kinds.INT, "Columns to draw in, by default the terminal's", default=0),
)


def run(session: Session, given: Invocation) -> int:
    values = given.values
    form = values.text("format")
    if form not in ("text", "json"):
        raise InvalidArgumentError(f'unknown format "{form}": must be text or json')
    drawn = picture(
        networks.listing(session.client),
        containers.listing(session.client, all=values.on("all")),
        given.arguments,
    )
    if form == "json":
        _print_json(session, drawn)
    else:
        width = values.number("width") or get_terminal_size().columns
        session.out.write(draw(drawn, width=width, signs=_signs()))
    return _complain(session, given.arguments, drawn)


def _print_json(session: Session, drawn: tuple[DrawnNetwork, ...]) -> None:
    from boxship.cli.format.rawjson import dump

    session.say(dump([asdict(network) for network in drawn]))


def _complain(session: Session, names: tuple[str, ...], drawn: tuple[DrawnNetwork, ...]) -> int:
    missing = [name for name in names if not any(_is(network, name) for network in drawn)]
    for name in missing:
        session.warn(str(NotFoundError(f"Error: No such network: {name}")))
    return FAILURE if missing else 0


def _is(network: DrawnNetwork, name: str) -> bool:
    return network.name == name or network.id.startswith(name)


def _signs() -> Signs:
    encoding = (sys.stdout.encoding or "").lower()
    return UNICODE if encoding.startswith("utf") else ASCII


COMMAND = Command(
    "[OPTIONS] [NETWORK...]",
    Arity(0, None),
    run,
    FLAGS,
    about="Each network with its subnets and what it forbids, and the containers on it with\n"
    "their addresses, published ports and egress rules. Ports stand where they lead to.",
)
