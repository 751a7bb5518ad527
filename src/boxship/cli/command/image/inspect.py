"""``boxship image inspect``."""

from boxship.cli import kinds
from boxship.cli.flags import Flag
from boxship.cli.inspecting import FORMAT_FLAG, inspect_all
from boxship.cli.session import Session
from boxship.cli.verb import SOME, Command, Invocation
from boxship.client import images

FLAGS = (FORMAT_FLAG, Flag("platform", "", kinds.STRING, "Platform to show, as linux/amd64"))


def run(session: Session, given: Invocation) -> int:
    platform = given.values.text("platform") or None
    return inspect_all(
        session,
        given.arguments,
        given.values.text("format"),
        lambda name: images.inspect(session.client, name, platform=platform),
    )


COMMAND = Command("[OPTIONS] IMAGE [IMAGE...]", SOME, run, FLAGS)
