"""What run, start, attach and exec share once something holds our streams."""

from typing import NamedTuple

from boxship.cli.exitcodes import FAILURE, ExitError
from boxship.cli.session import Session
from boxship.cli.streams import terminal
from boxship.cli.streams.attached import Forward, Plan, Resize
from boxship.client import containers


class Wanted(NamedTuple):
    """The streams somebody asked for."""

    stdin: bool
    stdout: bool
    stderr: bool
    tty: bool


def check_terminal(wanted: Wanted) -> None:
    """A container's terminal needs one of ours to be typed into."""
    if wanted.stdin and wanted.tty and not terminal.is_terminal(terminal.STDIN):
        raise ExitError(FAILURE, "the input device is not a TTY")


def plan_for(
    session: Session, container: str, wanted: Wanted, *, detach_keys: str, sig_proxy: bool
) -> Plan:
    """The plan for a container's own process. Side requests go over a connection of their own."""
    beside = session.client.beside()

    def resize(height: int, width: int) -> None:
        containers.resize(beside, container, height=height, width=width)

    def forward(name: str) -> None:
        containers.kill(beside, container, signal=name)

    resizer: Resize | None = (
        resize if wanted.tty and terminal.is_terminal(terminal.STDOUT) else None
    )
    forwarder: Forward | None = forward if sig_proxy else None
    return Plan(
        stdin=wanted.stdin,
        output=wanted.stdout or wanted.stderr,
        tty=wanted.tty,
        detach_keys=detach_keys,
        resize=resizer,
        forward=forwarder,
    )
