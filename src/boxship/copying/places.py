"""Where images can be, as people write it.

::

    [engine:]NAME                    the daemon that the command line talks to
    ssh://[USER@]HOST[:PORT]/NAME    a daemon on another machine
    registry:[HOST/]NAME[:TAG]       a registry; NAME@DIGEST as a source
    archive:PATH[:NAME]              a file as of `save`: Docker's, OCI's or both
    oci:DIRECTORY[:TAG]              an OCI image layout
"""

import re
from dataclasses import dataclass

from boxship.base.errors import InvalidArgumentError
from boxship.client.endpoint import SshEndpoint, parse_host
from boxship.oci.reference import InvalidReferenceError, Reference, parse

_SSH = re.compile(r"(ssh://[^/]+)/(.+)")
_TAG = re.compile(r"[\w][\w.-]{0,127}", re.ASCII)


@dataclass(frozen=True, slots=True)
class EnginePlace:
    """An image of an engine; ``name`` may be an id. Without ``host`` it is the usual engine."""

    name: str
    host: SshEndpoint | None = None


@dataclass(frozen=True, slots=True)
class RegistryPlace:
    name: Reference


@dataclass(frozen=True, slots=True)
class ArchivePlace:
    path: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class LayoutPlace:
    directory: str
    tag: str = ""


Place = EnginePlace | RegistryPlace | ArchivePlace | LayoutPlace


def parse_place(text: str) -> Place:
    """Read a place. Raise InvalidArgumentError."""
    if text.startswith("ssh://"):
        match = _SSH.fullmatch(text)
        endpoint = parse_host(match[1]) if match else None
        if match is None or not isinstance(endpoint, SshEndpoint):
            raise InvalidArgumentError(f"{text!r}: use ssh://[USER@]HOST[:PORT]/NAME")
        return EnginePlace(match[2], endpoint)
    kind, colon, rest = text.partition(":")
    if colon and kind in ("engine", "registry", "archive", "oci"):
        if not rest:
            raise InvalidArgumentError(f"{text!r}: a name or path must follow {kind}:")
        if kind == "registry":
            return RegistryPlace(parsed(rest).with_default_tag())
        if kind == "archive":
            return ArchivePlace(*_path_and_name(rest))
        if kind == "oci":
            return LayoutPlace(*_directory_and_tag(rest))
        return EnginePlace(rest)
    return EnginePlace(text)


def parsed(text: str) -> Reference:
    """Read a reference. Raise InvalidArgumentError."""
    try:
        return parse(text)
    except InvalidReferenceError as error:
        raise InvalidArgumentError(f"{text!r}: {error}") from error


def _path_and_name(text: str) -> tuple[str, str]:
    """A path ends at its first colon: names have colons of their own."""
    path, _, name = text.partition(":")
    return path, name


def _directory_and_tag(text: str) -> tuple[str, str]:
    directory, colon, tag = text.rpartition(":")
    if not colon or "/" in tag:
        return text, ""
    if not directory or _TAG.fullmatch(tag) is None:
        raise InvalidArgumentError(f"{text!r}: {tag!r} is not a tag")
    return directory, tag
