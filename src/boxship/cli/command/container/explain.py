"""``boxship explain``: what a container is made of, which Docker does not tell."""

from boxship.cli import kinds
from boxship.cli.command.container.explanation import text_of
from boxship.cli.exitcodes import MisuseError
from boxship.cli.flags import Flag
from boxship.cli.format.rawjson import dump
from boxship.cli.session import Session
from boxship.cli.verb import ONE, Command, Invocation
from boxship.client import containers

_FORMATS = ("text", "json", "script")
FLAGS = (
    Flag(
        "format",
        "",
        kinds.STRING,
        "How to print: text, json, or script, which is the commands alone",
        default="text",
    ),
)


def run(session: Session, given: Invocation) -> int:
    chosen = given.values.text("format")
    if chosen not in _FORMATS:
        raise MisuseError(f"invalid format {chosen!r}: must be one of {', '.join(_FORMATS)}")
    found = containers.explain(session.client, given.arguments[0])
    if chosen == "json":
        session.say(dump(found))
    elif chosen == "script":
        session.say("\n".join(found["Commands"]))
    else:
        session.out.write(text_of(found))
    return 0


COMMAND = Command("[OPTIONS] CONTAINER", ONE, run, FLAGS)
