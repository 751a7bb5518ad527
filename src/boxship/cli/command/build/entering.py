"""``--on-error shell``: a shell in what a failed step has left, with its environment.

The builder keeps that as an image without a name, which goes when the shell ends.
"""

from boxship.base.errors import BoxshipError
from boxship.cli.flags import Parser
from boxship.cli.session import Session
from boxship.cli.streams.terminal import STDIN, STDOUT, is_terminal
from boxship.cli.verb import Invocation
from boxship.client import images

SHELL = "/bin/sh"


def enter(session: Session, image: str) -> None:
    """Run the shell and remove the image; says why not if there is none."""
    if not image:
        session.warn("--on-error shell: no step's files were kept, so there is nothing to enter")
        return
    from boxship.cli.command.container.run import COMMAND

    terminal = "-it" if is_terminal(STDIN) and is_terminal(STDOUT) else "-i"
    line = [terminal, "--rm", "--entrypoint", SHELL, image]
    session.warn(f"entering the failed step with {SHELL}; leaving it ends the build")
    values, arguments = Parser(COMMAND.flags, interspersed=False).parse(line)
    try:
        COMMAND.run(session, Invocation("run", values, tuple(arguments)))
    finally:
        try:
            images.remove(session.client, image, force=True, prune=True)
        except BoxshipError as error:
            session.warn(f"cannot remove what was kept of the failed step, {image}: {error}")
