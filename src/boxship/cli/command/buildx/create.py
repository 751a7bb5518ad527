"""``boxship buildx create``."""

from boxship.cli import kinds
from boxship.cli.building.builders import BUILDER as NAME
from boxship.cli.building.flags import BUILDER, DEBUG
from boxship.cli.exitcodes import FAILURE, ExitError
from boxship.cli.flags import Flag
from boxship.cli.session import Session
from boxship.cli.verb import Arity, Command, Invocation

_NO_EFFECT = "Accepted, no effect"

FLAGS = (
    Flag("append", "", kinds.BOOL, _NO_EFFECT),
    Flag("bootstrap", "", kinds.BOOL, _NO_EFFECT),
    BUILDER,
    Flag("buildkitd-config", "", kinds.STRING, _NO_EFFECT),
    Flag("buildkitd-flags", "", kinds.STRING, _NO_EFFECT),
    DEBUG,
    Flag("driver", "", kinds.STRING, "docker is the only one"),
    Flag("driver-opt", "", kinds.LIST, _NO_EFFECT),
    Flag("leave", "", kinds.BOOL, _NO_EFFECT),
    Flag("name", "", kinds.STRING, "default is the only one"),
    Flag("node", "", kinds.STRING, _NO_EFFECT),
    Flag("platform", "", kinds.LIST, _NO_EFFECT),
    Flag("timeout", "", kinds.DURATION, _NO_EFFECT, default=20_000_000_000),
    Flag("use", "", kinds.BOOL, "It is used anyway"),
)


def run(session: Session, given: Invocation) -> int:
    name, driver = given.values.text("name"), given.values.text("driver")
    if name not in ("", NAME) or driver not in ("", "docker"):
        raise ExitError(
            FAILURE,
            f'the engine has one builder, "{NAME}" with the driver "docker", which can build for '
            "several platforms and keep caches elsewhere: no other can be created",
        )
    session.say(NAME)
    return 0


COMMAND = Command("[OPTIONS] [CONTEXT|ENDPOINT]", Arity(0, 1), run, FLAGS)
