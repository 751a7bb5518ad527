"""``boxship completion SHELL``: the script that a shell is to load, on standard output."""

from boxship.cli.catalog import PROGRAM
from boxship.cli.completing.scripts import SHELLS, script
from boxship.cli.exitcodes import MisuseError
from boxship.cli.session import Session
from boxship.cli.verb import ONE, Command, Invocation


def run(session: Session, given: Invocation) -> int:
    (shell,) = given.arguments
    if shell not in SHELLS:
        raise MisuseError(f"no completion for {shell}: it is {', '.join(SHELLS)}")
    session.out.write(script(shell, PROGRAM))
    return 0


ABOUT = """\
boxship system install puts the scripts where the shells look for them. For one shell's session
alone:
  source <(boxship completion bash)
  source <(boxship completion zsh)
  boxship completion fish | source"""

COMMAND = Command("bash|zsh|fish", ONE, run, about=ABOUT)
