"""``boxship plugin inspect``."""

from boxship.cli.format.rawjson import as_go
from boxship.cli.inspecting import FORMAT_FLAG, inspect_all
from boxship.cli.session import Session
from boxship.cli.verb import SOME, Command, Invocation
from boxship.client import plugins
from boxship.client.engine import JsonObject


def run(session: Session, given: Invocation) -> int:
    def find(name: str) -> JsonObject:
        return plugins.inspect(session.client, name)

    return inspect_all(session, given.arguments, given.values.text("format"), find, as_go)


COMMAND = Command("[OPTIONS] PLUGIN [PLUGIN...]", SOME, run, (FORMAT_FLAG,))
