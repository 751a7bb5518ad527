"""``boxship system install``: this Boxship as a part of the machine.

Docker leaves that to packages. What is there already stays; a second call does nothing. After an
upgrade the same call replaces the running daemon, and containers run on.
"""

from boxship import __version__
from boxship.cli import kinds
from boxship.cli.command.system.installing import WHERE, layout_of, said, wish_for
from boxship.cli.flags import Flag
from boxship.cli.session import Session
from boxship.cli.verb import NONE, Command, Invocation
from boxship.installing import machine, versions
from boxship.installing.installation import Planned, install, plan

FLAGS = (
    *WHERE,
    Flag("docker-alias", "", kinds.BOOL, "Be docker, too: the command and its socket"),
    Flag("dry-run", "", kinds.BOOL, "Only say what would be done"),
    Flag("no-start", "", kinds.BOOL, "Leave systemd and a running daemon alone"),
)

ABOUT = """\
Makes the group boxship, whose members may use the daemon, systemd's units (the socket
/run/boxship/boxship.sock, and the daemon behind it), completion for bash, zsh and fish, and
manual pages. Files that it has not made are never overwritten.

A daemon of before is replaced by this version's; containers run on."""


def run(session: Session, given: Invocation) -> int:
    values = given.values
    layout = layout_of(given)
    alias = values.on("docker-alias") if values.changed("docker-alias") else None
    wish = wish_for(layout, docker_alias=alias)
    planned = plan(wish)
    if values.on("dry-run"):
        tell = said(session, "would ")
        for step in planned.steps:
            tell(step)
        return 0
    install(planned, said(session))
    if layout.is_this_machine and not values.on("no-start"):
        _settle(session, planned)
    if alias and not wish.takes_docker_socket:
        session.warn("docker.socket is Docker's on this machine: its socket was left alone")
    session.say(f"Boxship {__version__} is installed below {layout.prefix}.")
    return 0


def _settle(session: Session, planned: Planned) -> None:
    changed = machine.Changed(
        units=planned.touches("boxship.socket") or planned.touches("boxship.service"),
        socket=planned.touches("boxship.socket"),
        code=planned.renewed,
    )
    for line in machine.settle(changed, planned.wish.layout.program("boxshipd")):
        session.say(line)
    old = versions.superseded(planned.wish.home)
    for path in old:
        session.say(f"remove {path}, which nothing runs from")
    versions.forget(old)


COMMAND = Command("[OPTIONS]", NONE, run, FLAGS, about=ABOUT)
