"""``boxship version``."""

import platform
import time
from typing import Any

from boxship import __version__
from boxship.base.clock import parse_rfc3339
from boxship.base.errors import BoxshipError
from boxship.cli.exitcodes import FAILURE, ExitError
from boxship.cli.format.layout import labelled
from boxship.cli.format.rawjson import as_go, dump_compact
from boxship.cli.inspecting import FORMAT_FLAG
from boxship.cli.session import Session
from boxship.cli.verb import NONE, Command, Invocation
from boxship.client import system
from boxship.client.engine import NEWEST_VERSION
from boxship.gotemplate.errors import TemplateError
from boxship.gotemplate.template import Template
from boxship.gotemplate.values import Struct

Json = dict[str, Any]

_MACHINES = {"x86_64": "amd64", "aarch64": "arm64", "i686": "386", "armv7l": "arm"}


def run(session: Session, given: Invocation) -> int:
    template = given.values.text("format")
    parsed = Template(template, name="version") if template not in ("", "json") else None
    client, server, problem = _ask(session)
    both = {"Client": client, "Server": server}
    if template == "json":
        session.say(dump_compact(both))
    elif parsed is not None:
        try:
            session.say(parsed.render(_typed(client, server)))
        except TemplateError:
            if problem is None:
                raise
            session.say("")  # it is of a server that didn't answer: that is what has to be told
    else:
        _print(session, client, server)
    if problem is not None:
        raise ExitError(FAILURE, str(problem)) from problem
    return 0


def _ask(session: Session) -> tuple[Json, Json | None, BoxshipError | None]:
    try:
        server = system.version(session.client)
        api_version = session.client.version
    except BoxshipError as error:
        return _client(NEWEST_VERSION, session.context), None, error
    return _client(api_version, session.context), server, None


def _client(api_version: str, context: str) -> Json:
    machine = platform.machine()
    return {
        "Version": __version__,
        "ApiVersion": api_version,
        "DefaultAPIVersion": NEWEST_VERSION,
        "GitCommit": "",
        "GoVersion": "",
        "PythonVersion": platform.python_version(),
        "Os": "linux",
        "Arch": _MACHINES.get(machine, machine),
        "BuildTime": "",
        "Context": context,
    }


def _typed(client: Json, server: Json | None) -> Struct:
    """For templates, which know the API version by Go's name of the field."""

    def renamed(side: Json) -> Struct:
        return Struct(as_go(side), {"APIVersion": side.get("ApiVersion", "")})

    sides = {"Client": renamed(client), "Server": None if server is None else renamed(server)}
    return Struct(sides, {"ServerOK": server is not None})


def _print(session: Session, client: Json, server: Json | None) -> None:
    session.say("Client:")
    for line in labelled(_client_lines(client), indent=1, width=19):
        session.say(line)
    if server is None:
        return
    name = (server.get("Platform") or {}).get("Name", "")
    session.say(f"\nServer: {name}".rstrip())
    for component in server.get("Components") or ():
        session.say(f" {component['Name']}:")
        lines = _engine_lines if component["Name"] == "Engine" else _component_lines
        for line in labelled(lines(component), indent=2, width=18):
            session.say(line)


def _client_lines(client: Json) -> list[tuple[str, str]]:
    api = client["ApiVersion"]
    if api != client["DefaultAPIVersion"]:
        api = f"{api} (downgraded from {client['DefaultAPIVersion']})"
    return [
        ("Version", client["Version"]),
        ("API version", api),
        ("Python version", client["PythonVersion"]),
        ("OS/Arch", f"{client['Os']}/{client['Arch']}"),
        ("Context", client["Context"]),
    ]


def _engine_lines(engine: Json) -> list[tuple[str, str]]:
    details: dict[str, str] = engine.get("Details") or {}
    minimum = details.get("MinAPIVersion", "")
    candidates = [
        ("Version", engine.get("Version", "")),
        ("API version", f"{details.get('ApiVersion', '')} (minimum version {minimum})"),
        ("Go version", details.get("GoVersion", "")),
        ("Python version", details.get("PythonVersion", "")),
        ("Git commit", details.get("GitCommit", "")),
        ("Built", _build_time(details.get("BuildTime", ""))),
        ("OS/Arch", f"{details.get('Os', '')}/{details.get('Arch', '')}"),
        ("Experimental", details.get("Experimental", "")),
    ]
    return [(label, value) for label, value in candidates if value]


def _build_time(text: str) -> str:
    try:
        return time.asctime(time.gmtime(parse_rfc3339(text) // 1_000_000_000)) if text else ""
    except ValueError:
        return text


def _component_lines(component: Json) -> list[tuple[str, str]]:
    details: dict[str, str] = component.get("Details") or {}
    return [("Version", component.get("Version", "")), *sorted(details.items())]


COMMAND = Command("[OPTIONS]", NONE, run, (FORMAT_FLAG,))
