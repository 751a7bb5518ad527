"""``boxship system uninstall``: what ``install`` has put on the machine goes; data stays."""

import os
from collections.abc import Sequence

from boxship.cli import kinds
from boxship.cli.command.system.installing import WHERE, layout_of, said
from boxship.cli.flags import Flag
from boxship.cli.session import Session
from boxship.cli.verb import NONE, Command, Invocation
from boxship.installing import machine, purging
from boxship.installing.installation import installed, plan_end, remove_group, uninstall
from boxship.installing.layout import Layout
from boxship.installing.manifest import Manifest
from boxship.installing.planning import RemoveGroup, Step

_BUNDLES = "/opt/boxship"

FLAGS = (
    *WHERE,
    Flag("purge", "", kinds.BOOL, "Remove images, volumes, containers, configuration and group"),
    Flag("dry-run", "", kinds.BOOL, "Only say what would be done"),
)

ABOUT = """\
Stops the daemon, and containers as the configuration says. Files that were changed since they
were installed are left. The programs themselves go as they came: by pip, or with the directory
/opt/boxship of a bundle."""


def run(session: Session, given: Invocation) -> int:
    layout, purge = layout_of(given), given.values.on("purge")
    data = purging.roots(layout) if purge else []
    # Data may have stayed from an uninstallation before: then they are what there is to purge.
    before = installed(layout) or Manifest()
    steps = [] if data and not before.pieces else plan_end(layout)
    if purge:
        purging.check_purge(data)
    if given.values.on("dry-run"):
        tell = said(session, "would ")
        for step in steps:
            tell(step)
        for path in data:
            session.say(f"would remove {path}")
        return 0
    if layout.is_this_machine:
        machine.stop()
    purging.check_free(data)
    uninstall(layout, steps, said(session))
    if layout.is_this_machine:
        machine.reload_units()
    if purge:
        _purge(session, layout, data, group=_stays(before, steps))
    session.say("Boxship is uninstalled." if purge else "Boxship is uninstalled; its data stays.")
    if os.path.exists(layout.outside(_BUNDLES)):
        session.say(f"The programs came in a bundle: rm -r {_BUNDLES} removes them.")
    return 0


def _stays(before: Manifest, steps: Sequence[Step]) -> bool:
    """Tell whether a group that was made for Boxship is there still."""
    return before.group_made and not any(isinstance(step, RemoveGroup) for step in steps)


def _purge(session: Session, layout: Layout, data: list[str], *, group: bool) -> None:
    for path in data:
        session.say(f"remove {path}")
    purging.purge(data, layout)
    if group:
        session.say("remove group boxship")
        remove_group(layout)


COMMAND = Command("[OPTIONS]", NONE, run, FLAGS, about=ABOUT)
