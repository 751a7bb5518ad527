"""``boxship system socket audit``: who asked for what, and whether it was allowed."""

from collections.abc import Iterator, Mapping
from typing import Any

from boxship.cli import kinds
from boxship.cli.exitcodes import MisuseError
from boxship.cli.flags import Flag
from boxship.cli.format.rawjson import dump_compact
from boxship.cli.session import Session
from boxship.cli.verb import Arity, Command, Invocation
from boxship.client import sockets

FLAGS = (
    Flag("denied", "", kinds.BOOL, "Only what was not allowed"),
    Flag("follow", "f", kinds.BOOL, "Go on with what is asked from now on"),
    Flag("format", "", kinds.STRING, "How to print: text, or json, a line for each request",
         default="text"),
    Flag("tail", "n", kinds.INT, "Only as many of the latest; 0 for all", default=100),
)  # fmt: skip


def run(session: Session, given: Invocation) -> int:
    chosen = given.values.text("format")
    if chosen not in ("text", "json"):
        raise MisuseError(f"invalid --format {chosen}: it is text or json")
    for entry in _wanted(session, given):
        session.say(dump_compact(entry) if chosen == "json" else line(entry))
        session.out.flush()
    return 0


def _wanted(session: Session, given: Invocation) -> Iterator[Mapping[str, Any]]:
    values = given.values
    scope = given.arguments[0] if given.arguments else ""
    with sockets.audit(
        session.client, scope, limit=values.number("tail"), follow=values.on("follow")
    ) as answer:
        for entry in answer.documents():
            if not (values.on("denied") and entry["allowed"]):
                yield entry


def line(entry: Mapping[str, Any]) -> str:
    """``2026-01-31 12:00:00  ci  allowed 200  GET /containers/json  docker ps (uid 1000)``."""
    verdict = "allowed" if entry["allowed"] else "DENIED"
    shown = [
        entry["time"][:19].replace("T", " "),
        entry["scope"] or "-",
        f"{verdict} {entry['status']}",
        f"{entry['method']} {entry['path']}",
        _who(entry),
    ]
    if entry.get("reason"):
        shown.append(entry["reason"])
    return "  ".join(shown)


def _who(entry: Mapping[str, Any]) -> str:
    if "pid" in entry:
        name = entry.get("command") or entry.get("agent") or "a client"
        return f"{name} (process {entry['pid']}, user {entry.get('uid', '?')})"
    return f"{entry.get('agent') or 'a client'} at {entry.get('address') or 'somewhere'}"


COMMAND = Command(
    "[OPTIONS] [NAME]",
    Arity(0, 1),
    run,
    FLAGS,
    about="Requests by sockets and tokens with limits, oldest first. Times are UTC.",
)
