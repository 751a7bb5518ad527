"""``boxship system import-docker``: a stopped dockerd's images, volumes and containers become ours.

The exit status is 0 when everything came or was here already, 1 otherwise.
"""

import os
import sys
from typing import TYPE_CHECKING

from boxship.base.units import format_decimal_size
from boxship.cli import kinds
from boxship.cli.exitcodes import FAILURE
from boxship.cli.flags import Flag
from boxship.cli.session import Session
from boxship.cli.verb import NONE, Command, Invocation

if TYPE_CHECKING:
    from boxship.importing.plan import Plan, Step
    from boxship.importing.takeover import Done

FLAGS = (
    Flag("data-root", "", kinds.STRING, "Where Docker's daemon keeps everything",
         default="/var/lib/docker"),
    Flag("containerd-root", "", kinds.STRING,
         "Where the machine's containerd keeps what it has for Docker",
         default="/var/lib/containerd"),
    Flag("dry-run", "", kinds.BOOL, "Say what would be done, and do nothing"),
    Flag("images", "", kinds.BOOL, "Take over images"),
    Flag("volumes", "", kinds.BOOL, "Take over volumes"),
    Flag("containers", "", kinds.BOOL, "Take over containers, and what they need"),
    Flag("move", "", kinds.BOOL, "Move the files of volumes, and do not copy them"),
    Flag("quiet", "q", kinds.BOOL, "Print only what did not come"),
)  # fmt: skip
ABOUT = """\
Docker's daemon has to be stopped, and cannot start meanwhile. Nothing in its data root is changed,
but that --move takes the files of volumes away. Without --images, --volumes and --containers
everything is taken over, networks as well. Objects keep their ids, names and dates; those that are
here already stay as they are, so an import that was interrupted is just started again. Containers
are stopped afterwards."""


def run(session: Session, given: Invocation) -> int:
    from boxship.importing import takeover
    from boxship.importing.plan import Selection, make_plan
    from boxship.importing.reading import take_inventory
    from boxship.importing.root import opened_root

    values = given.values
    selection = Selection(
        **{name: values.on(name) for name in ("images", "volumes", "containers", "move")}
    )
    takeover.check_local(session.client)
    with opened_root(values.text("data-root"), values.text("containerd-root")) as root:
        plan = make_plan(take_inventory(root), takeover.look(session.client), selection)
        if values.on("dry-run"):
            return _dry(session, plan)
        report = _Report(session, quiet=values.on("quiet"))
        for done in takeover.carry_out(session.client, root, plan, report.progress):
            report.add(done)
    return report.end(plan)


def _dry(session: Session, plan: "Plan") -> int:
    for step in plan.steps:
        session.say(str(step))
    for left in plan.left_out:
        session.say(f"not        {left.kind} {left.name}: {left.reason}")
    session.say(f"{len(plan.steps)} steps; {plan.already} objects are here already.")
    return 0


class _Report:
    """Says how it goes, and in the end what came of it."""

    def __init__(self, session: Session, *, quiet: bool) -> None:
        self._session = session
        self._quiet = quiet
        self._drawn = False
        self._came = self._already = self._failed = 0
        self._waiting: list[str] = []

    def progress(self, step: "Step", current: int, total: int) -> None:
        if self._quiet or not os.isatty(2):
            return
        sizes = format_decimal_size(current)
        if total:
            sizes += f" of {format_decimal_size(total)}"
        line = f"{sizes}  {step}"[: os.get_terminal_size(2).columns - 1]
        sys.stderr.write(f"\r\033[K{line}")
        sys.stderr.flush()
        self._drawn = True

    def add(self, done: "Done") -> None:
        if self._drawn:
            sys.stderr.write("\r\033[K")
            sys.stderr.flush()
            self._drawn = False
        for warning in done.warnings:
            self._session.warn(f"warning    {warning}")
        if done.error:
            self._failed += 1
            self._session.warn(f"failed     {done.step}: {done.error}")
            return
        self._already += done.already
        self._came += not done.already
        self._note_policy(done)
        if not self._quiet:
            self._session.say(f"{done.step}{': here already' if done.already else ''}")
            self._session.out.flush()

    def _note_policy(self, done: "Done") -> None:
        from boxship.importing.plan import TakeContainer

        if not isinstance(done.step, TakeContainer):
            return
        wanted = done.step.container.wanted
        policy = wanted.host_config.restart_policy.name
        stays = policy == "unless-stopped" and wanted.state.stopped_by_user
        if policy in ("always", "unless-stopped") and not stays and wanted.state.started_ns:
            self._waiting.append(wanted.name)

    def end(self, plan: "Plan") -> int:
        """Say what came of it all; return the exit status."""
        for left in plan.left_out:
            self._session.warn(f"left out   {left.kind} {left.name}: {left.reason}")
        if not self._quiet:
            already = self._already + plan.already
            self._session.say(f"{self._came} taken over, {already} here already.")
            if self._waiting:
                self._session.say(
                    "By their restart policy these are to run, at the latest when the daemon "
                    f"starts the next time: boxship start {' '.join(self._waiting)}"
                )
        missing = self._failed + len(plan.left_out)
        if missing:
            self._session.warn(f"{missing} not taken over; the rest is not affected by that.")
        return FAILURE if missing else 0


COMMAND = Command("[OPTIONS]", NONE, run, FLAGS, about=ABOUT)
