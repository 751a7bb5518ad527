"""``boxship why``: why something is as it is, and who holds it, which Docker does not tell."""

from collections.abc import Iterator
from typing import Any

from boxship.base.errors import NotFoundError
from boxship.cli import kinds
from boxship.cli.exitcodes import FAILURE, ExitError, MisuseError
from boxship.cli.flags import Flag
from boxship.cli.format.rawjson import dump
from boxship.cli.format.sizes import human_size
from boxship.cli.format.tabwriter import align
from boxship.cli.session import Session
from boxship.cli.verb import Arity, Command, Invocation
from boxship.client.engine import JsonObject
from boxship.client.why import KINDS, why

_FORMATS = ("text", "json")
_LOOKED_FOR = ("container", "image", "network", "volume")
FLAGS = (
    Flag("type", "", kinds.STRING, f"Ask about this only: {', '.join(KINDS[:-1])} or {KINDS[-1]}"),
    Flag("format", "", kinds.STRING, "How to print: text or json", default="text"),
)

Json = dict[str, Any]


def run(session: Session, given: Invocation) -> int:
    values, arguments = given.values, given.arguments
    kind, chosen = values.text("type"), values.text("format")
    if chosen not in _FORMATS:
        raise MisuseError(f"invalid format {chosen!r}: must be one of {', '.join(_FORMATS)}")
    if values.changed("type") and kind not in KINDS:
        raise MisuseError(f"unknown type {kind!r}: must be one of {', '.join(KINDS)}")
    if len(arguments) != (kind != "disk"):
        wanted = "no argument" if kind == "disk" else "one argument"
        raise MisuseError(f"'boxship why{f' --type {kind}' if kind else ''}' takes {wanted}")
    found = _find(session, kind, arguments[0] if arguments else "")
    if chosen == "json":
        session.say(dump(found))
    else:
        session.out.write(text_of(found))
    return 0


def _find(session: Session, kind: str, name: str) -> JsonObject:
    for each in (kind,) if kind else _LOOKED_FOR:
        try:
            return why(session.client, each, name)
        except NotFoundError:
            if kind:
                raise
    raise ExitError(FAILURE, f"Error: No such object: {name}")


def text_of(found: Json) -> str:
    """Return all of it, the answer first."""
    name = found["Name"] or found["Id"][:19]
    status = f" ({found['Status']})" if found["Status"] else ""
    lines = [f"{found['Kind'].capitalize()} {name}{status}", f"  {found['Answer']}.",
             *(f"  {fact}" for fact in found["Facts"])]  # fmt: skip
    sections = (
        ("Held by", _holders(found)),
        ("Takes", _takes(found)),
        ("What happened", _past(found)),
    )
    text = "\n".join(lines) + "\n"
    for title, rows in sections:
        body = "".join("  " + "\t".join(row) + "\n" for row in rows)
        text += f"\n{title}\n{align(body, minimum=0, padding=3)}" if body else ""
    return text


def _holders(found: Json) -> Iterator[tuple[str, ...]]:
    for holder in found["Holders"]:
        yield holder["Kind"], holder["Name"] or holder["Id"][:19], holder["How"]


def _takes(found: Json) -> Iterator[tuple[str, ...]]:
    for taking in found["Takes"]:
        size = human_size(taking["Size"]) if taking["Size"] >= 0 else ""
        columns = (taking["Kind"], taking["Name"], taking["Why"])
        yield (*columns[:2], size, columns[2]) if found["Kind"] == "disk" else columns


def _past(found: Json) -> Iterator[tuple[str, ...]]:
    for moment in found["Past"]:
        by = moment.get("By", {})
        yield moment["At"][:19].replace("T", " "), moment["What"], _name(by)


def _name(by: Json) -> str:
    if not by:
        return ""
    if not by.get("Pid"):
        return f"by {by.get('Agent') or 'a client'} at {by.get('Address', '?')}"
    return f"by {by.get('Command') or by.get('Agent') or 'process'} ({by['Pid']}, user {by['Uid']})"


COMMAND = Command("[OPTIONS] [NAME]", Arity(0, 1), run, FLAGS)
