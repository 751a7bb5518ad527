"""What an installation has put where, written down before it does: so its end finds everything."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from boxship.base.errors import InvalidArgumentError
from boxship.base.files import write_atomic


@dataclass(frozen=True)
class Manifest:
    """``pieces`` has, by path, the marks (``pieces.mark``) that we may have left there.

    There are two of them from before a file is replaced until all is done.
    """

    build: str = ""
    """Identifies the code; another one means that a running daemon is of before."""
    docker_alias: bool = False
    group_made: bool = False
    pieces: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def has(self, path: str, mark: str) -> bool:
        return mark in self.pieces.get(path, ())


def read_manifest(path: str) -> Manifest | None:
    """Return what is written there, None without an installation. InvalidArgumentError: rubbish."""
    try:
        with open(path, encoding="utf-8") as stream:
            body = json.load(stream)
        pieces = {name: tuple(marks) for name, marks in body["pieces"].items()}
        return Manifest(
            str(body["build"]), body["docker_alias"] is True, body["group_made"] is True, pieces
        )
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InvalidArgumentError(
            f"{path} is damaged ({error!r}): remove it and install again"
        ) from error


def write_manifest(path: str, manifest: Manifest) -> None:
    body = {
        "build": manifest.build,
        "docker_alias": manifest.docker_alias,
        "group_made": manifest.group_made,
        "pieces": {name: list(marks) for name, marks in sorted(manifest.pieces.items())},
    }
    os.makedirs(os.path.dirname(path), exist_ok=True)
    write_atomic(path, json.dumps(body, indent=1).encode() + b"\n")
