"""What the query of ``POST /build`` and the header ``X-Registry-Config`` have in JSON."""

import base64
import binascii
from collections.abc import Mapping
from typing import TypeVar

import msgspec
from msgspec import Struct

from boxship.base.errors import InvalidArgumentError
from boxship.model.container import Ulimit

T = TypeVar("T")


class RegistryLogin(Struct, frozen=True, rename="lower"):
    """What ``X-Registry-Config`` has for a registry."""

    username: str = ""
    password: str = ""
    auth: str = ""
    """Base64 of ``username:password``, where these are not there."""
    identitytoken: str = ""
    registrytoken: str = ""


def build_arguments(text: str) -> dict[str, str | None]:
    """Read ``buildargs``; one that is null is as if the Dockerfile had no default for it."""
    return _decoded(text, dict[str, str | None], "build args") or {}


def labels(text: str) -> dict[str, str]:
    return _decoded(text, dict[str, str], "labels") or {}


def ulimits(text: str) -> list[Ulimit]:
    return _decoded(text, list[Ulimit], "ulimit settings") or []


def cache_sources(text: str) -> list[str]:
    """Read ``cachefrom``: names of images."""
    return _decoded(text, list[str], "cache-from") or []


def _decoded(text: str, kind: type[T], what: str) -> T | None:
    if not text:
        return None
    try:
        return msgspec.json.decode(text, type=kind | None)
    except (msgspec.DecodeError, UnicodeError) as error:
        raise InvalidArgumentError(f"error reading {what}: {error}") from error


def registry_logins(header: str) -> Mapping[str, RegistryLogin]:
    """Read ``X-Registry-Config``: base64 of JSON, by registry. Unreadable: none, as with Docker."""
    standard = header.strip().replace("-", "+").replace("_", "/").rstrip("=")
    if not standard:
        return {}
    try:
        document = base64.b64decode(standard + "=" * (-len(standard) % 4))
        return msgspec.json.decode(document, type=dict[str, RegistryLogin] | None) or {}
    except (binascii.Error, ValueError, msgspec.DecodeError):
        return {}
