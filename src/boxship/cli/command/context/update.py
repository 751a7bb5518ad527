"""``boxship context update``."""

from boxship.cli.command.context.endpoints import ABOUT, DESCRIPTION, DOCKER_FLAG, read
from boxship.cli.session import Session
from boxship.cli.verb import ONE, Command, Invocation
from boxship.client.contexts import DOCKER, ContextStore, check_name


def run(session: Session, given: Invocation) -> int:
    name = given.arguments[0]
    check_name(name)
    store = ContextStore(session.config_directory)
    context, values = store.find(name), given.values
    document, tls = dict(context.document), None
    if values.text("description"):
        document["Metadata"] = {
            **(document.get("Metadata") or {}),
            "Description": values.text("description"),
        }
    if values.many("docker"):
        engine = read(values.many("docker"), store, session)
        document["Endpoints"] = {**(document.get("Endpoints") or {}), DOCKER: engine.endpoint}
        tls = {**store.tls_data(context), DOCKER: engine.tls}
    store.save(document, tls)
    session.say(name)
    session.warn(f'Successfully updated context "{name}"')
    return 0


COMMAND = Command("[OPTIONS] CONTEXT", ONE, run, (DESCRIPTION, DOCKER_FLAG), about=ABOUT)
