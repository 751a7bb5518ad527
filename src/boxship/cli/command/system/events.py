"""``boxship events``."""

from collections.abc import Callable
from typing import Any

from boxship.cli import kinds
from boxship.cli.exitcodes import FAILURE, ExitError
from boxship.cli.flags import Flag
from boxship.cli.format.durations import local_rfc3339_nano
from boxship.cli.format.rawjson import dump_compact
from boxship.cli.inspecting import FORMAT_FLAG
from boxship.cli.session import Session
from boxship.cli.timestamps import timestamp
from boxship.cli.verb import NONE, Command, Invocation
from boxship.client import system
from boxship.client.filters import parse_filter
from boxship.gotemplate.errors import TemplateError
from boxship.gotemplate.template import Template
from boxship.gotemplate.values import Struct

FLAGS = (
    Flag("filter", "f", kinds.FILTER, "Show those that match, as type=container or event=die"),
    Flag("format", "", kinds.STRING, FORMAT_FLAG.help),
    Flag("since", "", kinds.STRING, "Begin with those after this time, or the last 42m"),
    Flag("until", "", kinds.STRING, "End at this time, or 42m ago"),
)

Event = dict[str, Any]


def run(session: Session, given: Invocation) -> int:
    values = given.values
    shown = _writer(values.text("format"))
    answer = system.events(
        session.client,
        since=timestamp(values.text("since"), "since"),
        until=timestamp(values.text("until"), "until"),
        filters=[parse_filter(text) for text in values.many("filter")],
    )
    with answer:
        for event in answer.documents():
            session.say(shown(event))
            session.out.flush()
    return 0


def _writer(template: str) -> Callable[[Event], str]:
    if not template:
        return plain
    if template == "json":
        return dump_compact
    try:
        parsed = Template(template.replace("\\t", "\t").replace("\\n", "\n"))
    except TemplateError as error:
        raise ExitError(64, f"Error parsing format: {error}") from error

    def render(event: Event) -> str:
        try:
            return parsed.render(_as_message(event))
        except TemplateError as error:
            raise ExitError(FAILURE, f"Error parsing format: {error}") from error

    return render


# The template's names of fields whose JSON names begin with a small letter.
_RENAMED = (
    ("Status", "status", ""),
    ("ID", "id", ""),
    ("From", "from", ""),
    ("Scope", "scope", ""),
    ("Time", "time", 0),
    ("TimeNano", "timeNano", 0),
)


def _as_message(event: Event) -> Struct:
    actor = event.get("Actor") or {}
    fields = {**event, "Actor": Struct({"ID": "", "Attributes": {}, **actor})}
    return Struct(fields, {name: event.get(key, empty) for name, key, empty in _RENAMED})


def plain(event: Event) -> str:
    """``2026-11-21T00:31:50.970Z container create <id> (image=bb, name=c1)``."""
    moment = event.get("timeNano") or event.get("time", 0) * 1_000_000_000
    actor = event.get("Actor") or {}
    line = (
        f"{local_rfc3339_nano(moment)} {event.get('Type')} {event.get('Action')} {actor.get('ID')}"
    )
    attributes = actor.get("Attributes") or {}
    if not attributes:
        return line
    pairs = ", ".join(f"{key}={attributes[key]}" for key in sorted(attributes))
    return f"{line} ({pairs})"


COMMAND = Command("[OPTIONS]", NONE, run, FLAGS)
