"""Requests by which a daemon takes objects of another engine over; Boxship's alone knows them."""

from collections.abc import Iterable, Iterator

import msgspec

from boxship.base.errors import UnavailableError
from boxship.client.engine import EngineClient, JsonObject
from boxship.model.adoption import Adopted, AdoptedNetwork, AdoptedVolume


def network(client: EngineClient, wanted: AdoptedNetwork) -> Adopted:
    """Make a network what it was. Errors are the daemon's."""
    body = msgspec.to_builtins(wanted)
    return msgspec.convert(client.json("POST", "/boxship/adoption/networks", body=body), Adopted)


def volume(client: EngineClient, wanted: AdoptedVolume) -> Iterator[JsonObject]:
    """Make a volume of a directory of the daemon's machine; yield progress, then what came of it.

    UnavailableError: it broke off.
    """
    body = msgspec.to_builtins(wanted)
    with client.call("POST", "/boxship/adoption/volumes", body=body) as answer:
        for line in answer.documents():
            if "error" in line:
                raise UnavailableError(f"Error response from daemon: {line['error']}")
            yield line


def container(client: EngineClient, archive: Iterable[bytes]) -> Adopted:
    """Make a container of an archive (``model/adoption.py``). Errors are the daemon's."""
    with client.call("POST", "/boxship/adoption/containers", stream=archive) as answer:
        return msgspec.convert(answer.json(), Adopted)
