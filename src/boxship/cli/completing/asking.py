"""Names that the daemon knows. Whoever presses a key waits: it is asked once, and never started."""

import glob
import json
import os
from collections.abc import Iterator
from typing import Any

from boxship.base.errors import BoxshipError
from boxship.cli.completing.wishes import Source, Word
from boxship.cli.session import Session
from boxship.client.engine import EngineClient

_STATES = {
    Source.RUNNING: ["running", "paused", "restarting"],
    Source.STOPPED: ["created", "exited", "dead"],
    Source.PAUSED: ["paused"],
}


def names(session: Session, source: Source) -> list[Word]:
    """Return the names of one kind; none if the daemon doesn't answer, or refuses."""
    if source is Source.CONTEXTS:
        return _contexts(os.path.dirname(session.config_path))
    try:
        client = EngineClient(session.choice.endpoint, agent="Docker-Client/boxship (linux)")
        try:
            return list(_ask(client, source))
        finally:
            client.close()
    except (BoxshipError, OSError):
        return []


def _ask(client: EngineClient, source: Source) -> Iterator[Word]:
    match source:
        case Source.CONTAINERS | Source.RUNNING | Source.STOPPED | Source.PAUSED:
            yield from _containers(client, source)
        case Source.IMAGES:
            for image in client.json("GET", "/images/json"):
                tags = image.get("RepoTags") or ()
                yield from (Word(tag) for tag in tags if tag != "<none>:<none>")
        case Source.NETWORKS:
            for network in client.json("GET", "/networks"):
                yield Word(network["Name"], network.get("Driver", ""))
        case Source.VOLUMES:
            for volume in client.json("GET", "/volumes").get("Volumes") or ():
                yield Word(volume["Name"], volume.get("Driver", ""))
        case Source.PLUGINS:
            yield from (Word(plugin["Name"]) for plugin in client.json("GET", "/plugins"))
        case Source.RUNTIMES:
            yield from (Word(name) for name in client.json("GET", "/info").get("Runtimes") or ())
        case Source.SOCKETS:
            for socket in client.json("GET", "/boxship/sockets"):
                yield Word(socket["Name"])


def _contexts(directory: str) -> list[Word]:
    """Contexts are the client's own files; ``default`` has none."""
    found = [Word("default")]
    for path in glob.glob(f"{glob.escape(directory)}/contexts/meta/*/meta.json"):
        try:
            with open(path, encoding="utf-8") as stream:
                found.append(Word(str(json.load(stream)["Name"])))
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return sorted(found)


def _containers(client: EngineClient, source: Source) -> Iterator[Word]:
    from boxship.cli.format.rawjson import dump_compact

    states = _STATES.get(source)
    query: dict[str, Any] = {"all": True}
    if states:
        query["filters"] = dump_compact({"status": states})
    for container in client.json("GET", "/containers/json", query):
        for name in container.get("Names") or ():
            if "/" not in name.removeprefix("/"):  # not the names that links give
                yield Word(name.removeprefix("/"), container.get("Image", ""))
