"""``boxship network inspect``."""

from boxship.base.errors import InvalidArgumentError
from boxship.cli import kinds
from boxship.cli.flags import Flag
from boxship.cli.format.networks import network_as_go
from boxship.cli.inspecting import FORMAT_FLAG, inspect_all
from boxship.cli.session import Session
from boxship.cli.verb import SOME, Command, Invocation
from boxship.client import networks
from boxship.client.engine import JsonObject

FLAGS = (
    FORMAT_FLAG,
    Flag("verbose", "v", kinds.BOOL, "Show what a swarm's machines know, and bytes by container"),
)


def run(session: Session, given: Invocation) -> int:
    def find(name: str) -> JsonObject:
        if not name:
            raise InvalidArgumentError("invalid network name or ID: value is empty")
        return networks.inspect(session.client, name, verbose=given.values.on("verbose"))

    return inspect_all(session, given.arguments, given.values.text("format"), find, network_as_go)


COMMAND = Command("[OPTIONS] NETWORK [NETWORK...]", SOME, run, FLAGS)
