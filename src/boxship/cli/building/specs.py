"""The little languages in the flags of ``build``: fields ``key=value``, separated by commas.

::

    --output     type=tar,dest=out.tar   or a path: -o dir, -o -
    --secret     id=token,src=file       id=token,env=VARIABLE
    --ssh        default                 id=socket-or-key[,key…]
    --cache-from type=registry,ref=…     or a reference
    --attest     type=provenance,mode=max

The parsers raise ValueError with the reason, as types of flags do.
"""

import os
from collections.abc import Mapping
from typing import NamedTuple

from boxship.cli.kinds import parse_bool, parse_csv

STDOUT = "-"

OUTPUT_TYPES = ("image", "registry", "docker", "oci", "tar", "local")
_NEEDS_DESTINATION = ("local",)
_TO_STDOUT = ("tar", "oci")


class Output(NamedTuple):
    """Where a result goes. ``destination`` is a path, ``-`` for standard output, or empty."""

    type: str
    attributes: Mapping[str, str]
    destination: str = ""

    @property
    def is_image(self) -> bool:
        """Whether it goes to the engine's images, rather than to files of the client."""
        return self.type == "image" or (self.type == "docker" and not self.destination)

    @property
    def is_pushed(self) -> bool:
        return self.attributes.get("push") == "true"


class Cache(NamedTuple):
    """A cache to bring or to leave."""

    type: str
    attributes: Mapping[str, str]


class Secret(NamedTuple):
    """A secret's file, or the variable that has it; both empty: ``id`` says which."""

    id: str
    path: str = ""
    variable: str = ""


class Ssh(NamedTuple):
    """Sockets of agents, or files with keys; none: the agent of ``SSH_AUTH_SOCK``."""

    id: str
    paths: tuple[str, ...] = ()


class Attestation(NamedTuple):
    type: str
    attributes: tuple[tuple[str, str], ...] = ()
    disabled: bool = False


def fields(text: str) -> dict[str, str]:
    """``a=1,"b=2,3"``; names in lower case."""
    found: dict[str, str] = {}
    for field in parse_csv(text):
        name, separator, value = field.partition("=")
        if not separator:
            raise ValueError(f"invalid field '{field}' must be a key=value pair")
        found[name.strip().lower()] = value
    return found


def parse_output(text: str) -> Output:
    members = parse_csv(text)
    if len(members) == 1 and "=" not in members[0]:
        if members[0] == STDOUT:
            return Output("tar", {}, STDOUT)
        return Output("local", {}, members[0])
    found = fields(text)
    kind = found.pop("type", "")
    if not kind:
        raise ValueError("type is required for output")
    if kind not in OUTPUT_TYPES:
        raise ValueError(f"unknown output type {kind!r}: use one of {', '.join(OUTPUT_TYPES)}")
    destination = found.pop("dest", "")
    if kind == "registry":
        kind, found["push"] = "image", found.get("push", "true")
    if kind in _NEEDS_DESTINATION and not destination:
        raise ValueError(f"dest is required for {kind} exporter")
    if kind in _NEEDS_DESTINATION and destination == STDOUT:
        raise ValueError(f"dest cannot be stdout for {kind} exporter")
    if kind in _TO_STDOUT and not destination:
        destination = STDOUT
    if "push" in found:
        found["push"] = "true" if parse_bool(found["push"]) else "false"
    return Output(kind, found, destination)


def parse_cache(text: str) -> Cache:
    """A bare value is a reference in a registry."""
    if all("=" not in member for member in parse_csv(text)):
        return Cache("registry", {"ref": text})
    found = fields(text)
    kind = found.pop("type", "")
    if not kind:
        raise ValueError(f"type required form> {text!r}: write type=registry,ref=…")
    for name in ("src", "dest"):
        if kind == "local" and name in found:
            found[name] = os.path.abspath(found[name])
    return Cache(kind, found)


def parse_secret(text: str) -> Secret:
    found = fields(text)
    kind = found.pop("type", "")
    if kind not in ("", "file", "env"):
        raise ValueError(f"unsupported secret type {kind!r}: use file or env")
    identifier = found.pop("id", "")
    path = found.pop("source", "") or found.pop("src", "")
    variable = found.pop("env", "")
    for name in found:
        raise ValueError(f"unexpected key '{name}' in '{text}': use id, src and env")
    if kind == "env" and path:
        path, variable = "", path
    if not identifier:
        raise ValueError("id is required for a secret: --secret id=NAME,src=FILE")
    return Secret(identifier, path, variable)


def parse_ssh(text: str) -> Ssh:
    identifier, separator, paths = text.partition("=")
    if not identifier:
        raise ValueError(f"invalid ssh forward {text!r}: write default or ID=SOCKET-OR-KEY")
    return Ssh(identifier, parse_csv(paths) if separator else ())


def parse_attestation(text: str) -> Attestation:
    found = fields(text)
    kind = found.pop("type", "")
    if not kind:
        raise ValueError(
            f"attestation type not specified in {text!r}: write type=provenance or sbom"
        )
    disabled = parse_bool(found.pop("disabled", "false"))
    return Attestation(kind, tuple(found.items()), disabled)


def parse_shorthand(kind: str, text: str) -> Attestation:
    """``--provenance`` and ``--sbom``: a truth value, or fields."""
    try:
        return Attestation(kind, disabled=not parse_bool(text))
    except ValueError:
        return parse_attestation(f"type={kind},{text}")


def parse_named_context(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not separator or not name or not value:
        raise ValueError(f"invalid context value: {text}, expected key=value")
    return name, value


def parse_host(text: str) -> str:
    """``host:ip`` or ``host=ip`` in the form of BuildKit, ``host=ip``; the address may be IPv6."""
    separator = "=" if "=" in text else ":"
    host, found, address = text.partition(separator)
    if not found or not host or not address:
        raise ValueError(f"invalid add-host {text!r}: write HOST:ADDRESS")
    return f"{host}={address.removeprefix('[').removesuffix(']')}"


_METHODS = {
    "build": "",
    "check": "check",
    "lint": "check",
    "outline": "outline",
    "targets": "targets",
}
_FORMATS = ("", "text", "json")


class Call(NamedTuple):
    """What is asked of the frontend: a build if ``method`` is empty."""

    method: str = ""
    json: bool = False
    ignore_status: bool = False


def parse_call(text: str) -> Call:
    members = parse_csv(text)
    method = members[0] if members else ""
    rest = fields(",".join(members[1:])) if len(members) > 1 else {}
    if method not in _METHODS:
        raise ValueError(f"unknown method {method!r}: use one of build, check, outline, targets")
    form = rest.pop("format", "")
    if form not in _FORMATS:
        raise ValueError(f"unknown format {form!r}: use text or json")
    ignored = rest.pop("ignorestatus", "false")
    for name in rest:
        raise ValueError(f"unknown field {name!r} of --call: use format or ignorestatus")
    return Call(_METHODS[method], form == "json", parse_bool(ignored))


_ANNOTATED = ("index", "index-descriptor", "manifest", "manifest-descriptor")


def parse_annotation(text: str) -> tuple[tuple[str, str], ...]:
    """``[type[platform],…:]key=value`` as attributes of an exporter."""
    key, separator, value = text.partition("=")
    if not separator:
        raise ValueError(f"invalid annotation {text!r}: expected key=value")
    kinds, colon, name = key.rpartition(":")
    if not colon:
        return ((f"annotation.{key}", value),)
    pairs = []
    for kind in kinds.split(","):
        bare, _, _ = kind.partition("[")
        if bare not in _ANNOTATED:
            raise ValueError(
                f"unknown annotation type {bare!r}: use one of {', '.join(_ANNOTATED)}"
            )
        pairs.append((f"annotation-{kind}.{name}", value))
    return tuple(pairs)
