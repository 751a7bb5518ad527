"""``boxship info``."""

from typing import Any

from boxship import __version__
from boxship.base.errors import BoxshipError
from boxship.cli.exitcodes import FAILURE, ExitError
from boxship.cli.format.info import info_lines
from boxship.cli.format.layout import labelled
from boxship.cli.format.rawjson import as_go, dump_compact
from boxship.cli.inspecting import FORMAT_FLAG
from boxship.cli.session import Session
from boxship.cli.verb import NONE, Command, Invocation
from boxship.client import system
from boxship.gotemplate.template import Template


def run(session: Session, given: Invocation) -> int:
    template = given.values.text("format")
    parsed = Template(template) if template not in ("", "json") else None
    info: dict[str, Any] = {}
    problem: BoxshipError | None = None
    try:
        info = system.info(session.client)
    except BoxshipError as error:
        problem = error
    client = {
        "Debug": session.debug,
        "Context": session.context,
        "Version": __version__,
        "Plugins": [],
    }
    if template == "json":
        session.say(dump_compact(info | {"ClientInfo": client}))
    elif parsed is not None:
        session.say(parsed.render(as_go(info | {"ClientInfo": client})))
    else:
        _print(session, info, answered=problem is None)
    if problem is not None:
        raise ExitError(FAILURE, str(problem)) from problem
    for warning in info.get("Warnings") or ():
        session.warn(warning)
    return 0


def _print(session: Session, info: dict[str, Any], *, answered: bool) -> None:
    debug = "true" if session.debug else "false"
    pairs = [("Version", __version__), ("Context", session.context), ("Debug Mode", debug)]
    session.say("Client:")
    for line in labelled(pairs, indent=1, width=12):
        session.say(line)
    session.say("\nServer:")
    if answered:
        for line in info_lines(info):
            session.say(line)
        session.say("")


COMMAND = Command("[OPTIONS]", NONE, run, (FORMAT_FLAG,))
