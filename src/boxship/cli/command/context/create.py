"""``boxship context create``."""

from boxship.base.errors import InvalidArgumentError
from boxship.cli import kinds
from boxship.cli.command.context.endpoints import (
    ABOUT,
    DEFAULT_DESCRIPTION,
    DESCRIPTION,
    DOCKER_FLAG,
    find,
    read,
)
from boxship.cli.flags import Flag
from boxship.cli.session import Session
from boxship.cli.verb import ONE, Command, Invocation
from boxship.client.contexts import DEFAULT, DOCKER, ContextStore, Document, check_name

FLAGS = (
    DESCRIPTION,
    DOCKER_FLAG,
    Flag("from", "", kinds.STRING, "Copy another context"),
)


def run(session: Session, given: Invocation) -> int:
    name = given.arguments[0]
    store = ContextStore(session.config_directory)
    check_name(name)
    values = given.values
    tls: dict[str, dict[str, bytes]] = {}
    if values.many("docker"):
        if values.text("from"):
            raise InvalidArgumentError("cannot use --docker flag when --from is set")
        engine = read(values.many("docker"), store, session)
        document: Document = {"Name": name, "Metadata": {}, "Endpoints": {DOCKER: engine.endpoint}}
        tls = {DOCKER: engine.tls} if engine.tls else {}
    else:
        other = find(values.text("from") or session.context, store, session)
        document, tls = {**other.document, "Name": name}, store.tls_data(other)
        if other.name == DEFAULT:
            document["Metadata"] = {"Description": DEFAULT_DESCRIPTION}
    if values.text("description"):
        document["Metadata"] = {
            **(document.get("Metadata") or {}),
            "Description": values.text("description"),
        }
    store.create(document, tls)
    session.say(name)
    session.warn(f'Successfully created context "{name}"')
    return 0


COMMAND = Command("[OPTIONS] CONTEXT", ONE, run, FLAGS, about=ABOUT)
