"""Files of containers and volumes: what is at a path, and archives both ways.

``owner`` is the object's own path in the API: ``/containers/NAME`` or ``/volumes/NAME``.
"""

import base64
import json
from collections.abc import Iterable
from typing import NamedTuple

from boxship.base.errors import NotFoundError
from boxship.client.engine import EngineClient, Response

_GO_DIRECTORY, _GO_LINK = 1 << 31, 1 << 27


class PathStat(NamedTuple):
    """What is at a path. ``link_target`` is where a link leads to in the end."""

    name: str
    size: int
    is_directory: bool
    is_link: bool
    link_target: str


def path_stat(client: EngineClient, owner: str, path: str) -> PathStat:
    try:
        with client.call("HEAD", f"{owner}/archive", {"path": path}) as response:
            header = response.head.header("X-Docker-Container-Path-Stat")
    except NotFoundError:
        # An answer to HEAD has no body; the one to GET says what there isn't.
        with read_files(client, owner, path) as response:
            header = response.head.header("X-Docker-Container-Path-Stat")
    found = json.loads(base64.b64decode(header))
    mode = found["mode"]
    return PathStat(
        found["name"], found["size"], bool(mode & _GO_DIRECTORY), bool(mode & _GO_LINK),
        found.get("linkTarget", ""),
    )  # fmt: skip


def read_files(client: EngineClient, owner: str, path: str) -> Response:
    """What is at a path as a tar."""
    return client.call("GET", f"{owner}/archive", {"path": path})


def write_files(
    client: EngineClient, owner: str, path: str, archive: Iterable[bytes], *, own: bool = False
) -> None:
    """Unpack a tar in a directory."""
    query = {
        "path": path,
        "noOverwriteDirNonDir": "true",
        "copyUIDGID": "true" if own else None,
    }
    with client.call("PUT", f"{owner}/archive", query, stream=archive) as response:
        response.read()
