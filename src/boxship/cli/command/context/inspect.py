"""``boxship context inspect``: of the one that holds, if none is named."""

from boxship.cli.command.context.endpoints import find
from boxship.cli.format.rawjson import as_go
from boxship.cli.inspecting import FORMAT_FLAG, inspect_all
from boxship.cli.session import Session
from boxship.cli.verb import Arity, Command, Invocation
from boxship.client.contexts import DEFAULT, ContextStore, Document
from boxship.gotemplate.values import Struct

_NOWHERE = "<IN MEMORY>"


def run(session: Session, given: Invocation) -> int:
    store = ContextStore(session.config_directory)
    names = given.arguments or (session.context,)

    def look(name: str) -> Document:
        context = find(name, store, session)
        stored = name != DEFAULT
        return {
            **context.document,
            "TLSMaterial": {endpoint: list(files) for endpoint, files in context.tls.items()},
            "Storage": {
                "MetadataPath": store.metadata_path(name) if stored else _NOWHERE,
                "TLSPath": store.tls_path(name) if stored else _NOWHERE,
            },
        }

    return inspect_all(session, names, given.values.text("format"), look, _typed)


def _typed(document: Document) -> Struct:
    """For templates: maps of Docker's structs."""
    endpoints = document.get("Endpoints") or {}
    fields = {
        **document,
        "Endpoints": {name: as_go(endpoint) for name, endpoint in endpoints.items()},
        "Storage": as_go(document["Storage"]),
    }
    return Struct(fields)


COMMAND = Command("[OPTIONS] [CONTEXT...]", Arity(0, None), run, (FORMAT_FLAG,))
