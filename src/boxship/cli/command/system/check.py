"""``boxship system check``: is everything that is stored still what it was? Docker cannot tell.

On the machine's own daemon the installation comes first: units, links, pages (``installing/``).
The exit status is 0 when nothing is wrong any more, 1 otherwise.
"""

import os
import sys
from typing import Any

from boxship.base.errors import BoxshipError
from boxship.cli import kinds
from boxship.cli.exitcodes import FAILURE, MisuseError
from boxship.cli.flags import Flag
from boxship.cli.format.rawjson import dump_compact
from boxship.cli.session import Session
from boxship.cli.verb import NONE, Command, Invocation
from boxship.client import system

FLAGS = (
    Flag("repair", "", kinds.BOOL, "Repair what can be repaired without loss", default=True),
    Flag("no-repair", "", kinds.BOOL, "Only look"),
    Flag("quiet", "q", kinds.BOOL, "Print nothing; the exit status tells"),
    Flag("format", "", kinds.STRING, "How to print: text, or json, a line for each event",
         default="text"),
)  # fmt: skip

Event = dict[str, Any]


def run(session: Session, given: Invocation) -> int:
    values = given.values
    chosen = values.text("format")
    if chosen not in ("text", "json"):
        raise MisuseError(f"invalid --format {chosen}: it is text or json")
    repair = values.on("repair") and not values.on("no-repair")
    broken = 0
    for event in _installation(session, repair=repair):
        broken += event["outcome"] != "repaired"
        _tell(session, event, given)
    remaining = 1  # until the daemon says something else
    with system.check(session.client, repair=repair) as answer:
        for event in answer.documents():
            if event["type"] == "summary":
                remaining = event["remaining"]
            _tell(session, event, given)
    return FAILURE if remaining + broken else 0


def _installation(session: Session, *, repair: bool) -> list[Event]:
    """What is wrong with this machine's installation, in the form of the daemon's findings."""
    if not session.choice.is_default or os.geteuid() != 0:
        return []
    from boxship.installing.layout import Layout

    layout = Layout()
    if not os.path.exists(layout.manifest):
        return []
    from boxship.cli.command.system.installing import wish_for
    from boxship.installing.installation import installed, plan
    from boxship.installing.verifying import verify

    try:
        there = installed(layout)
        if there is None or not there.pieces:
            return []  # it has been uninstalled
        flaws = verify(plan(wish_for(layout)), repair=repair)
    except BoxshipError as error:
        return [_finding(layout.prefix, str(error), "unchecked", "")]
    return [
        _finding(
            flaw.place, flaw.problem, "repaired" if flaw.repaired else "repairable", flaw.remedy
        )
        for flaw in flaws
    ]


def _finding(place: str, problem: str, outcome: str, remedy: str) -> Event:
    return {
        "type": "finding", "kind": "installation", "id": place, "problem": problem,
        "outcome": outcome, "remedy": remedy,
    }  # fmt: skip


def _tell(session: Session, event: Event, given: Invocation) -> None:
    if given.values.on("quiet"):
        return
    if given.values.text("format") == "json":
        session.say(dump_compact(event))
    else:
        _show(session, event)
    session.out.flush()


def _show(session: Session, event: Event) -> None:
    if event["type"] == "progress":
        if os.isatty(2):
            total = event["total"] or 1
            line = f"{event['kind']} {event['id'][:19]}  {100 * event['current'] // total}%"
            sys.stderr.write(f"\r\033[K{line}")
            sys.stderr.flush()
        return
    if os.isatty(2):
        sys.stderr.write("\r\033[K")
        sys.stderr.flush()
    session.say(summary(event) if event["type"] == "summary" else finding(event))


def finding(event: Event) -> str:
    """``lost: layer sha256:…: etc/passwd is missing`` and, indented, who needs it."""
    path = f" {event['path']}" if event.get("path") else ""
    lines = [f"{event['outcome']}: {event['kind']} {event['id']}:{path} {event['problem']}"]
    for key, word in (("images", "images"), ("containers", "containers"), ("remedy", "try")):
        told = event.get(key)
        if told:
            lines.append(f"  {word}: {told if isinstance(told, str) else ', '.join(told)}")
    return "\n".join(lines)


def summary(event: Event) -> str:
    """``Checked 3 layers, 2 blobs and 1 snapshot: 1 repaired, nothing left to do.``."""
    counts = [
        f"{event[kind]} {kind if event[kind] != 1 else kind[:-1]}"
        for kind in ("layers", "blobs", "snapshots")
    ]
    repaired, remaining = event["repaired"], event["remaining"]
    result = "everything is whole"
    if repaired or remaining:
        left = f"{remaining} left" if remaining else "nothing left to do"
        result = f"{repaired} repaired, {left}"
    return f"Checked {counts[0]}, {counts[1]} and {counts[2]}: {result}."


COMMAND = Command("[OPTIONS]", NONE, run, FLAGS)
