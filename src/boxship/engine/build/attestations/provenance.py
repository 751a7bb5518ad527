"""How an image was made: SLSA provenance v0.2, in the form that BuildKit gives it.

https://slsa.dev/spec/v0.2/provenance and docs/attestations/slsa-definitions.md of BuildKit. ``min``
leaves out what may be confidential: values of build arguments, labels, the Dockerfile itself.
"""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from boxship.base.clock import format_file_time
from boxship.engine.build.attestations.statements import (
    Statement,
    Subject,
    digest_set,
    statement,
)

PREDICATE_TYPE = "https://slsa.dev/provenance/v0.2"
_BUILD_TYPE = "https://mobyproject.org/buildkit@v1"
_METADATA = f"{_BUILD_TYPE}#metadata"
_FRONTEND = "dockerfile.v0"
_CONFIDENTIAL = ("build-arg:", "label:")
_ABOUT_US = ("attest:", "boxship:", "vcs:")
"""Attributes that say nothing of what is built."""
_URL_CONTEXTS = ("http://", "https://", "git://", "ssh://", "git@")


@dataclass(frozen=True, slots=True)
class Material:
    """Something the build took: a URI (for an image its package URL) and a digest."""

    uri: str
    digest: str


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a build; times in nanoseconds since 1970."""

    mode: str
    """``min`` or ``max``."""
    attributes: Mapping[str, str] = field(default_factory=dict)
    """The frontend's, as the client sent them."""
    materials: Sequence[Material] = ()
    platform: str = ""
    """Where it ran, as ``linux/amd64``."""
    reference: str = ""
    started_ns: int = 0
    finished_ns: int = 0
    dockerfile: tuple[str, bytes] | None = None
    source: str = ""
    """The repository of the context, and which of its commits, if the client said that."""
    revision: str = ""
    builder: str = ""
    """A URI that says who built it."""
    complete: bool = True
    """Whether ``materials`` are all of them: what the client's directories had is never known."""


def provenance(facts: Facts, subjects: Sequence[Subject]) -> Statement:
    """Return the statement. ValueError for a mode that there isn't."""
    if facts.mode not in ("min", "max"):
        raise ValueError(f"invalid provenance mode {facts.mode!r}: use min or max")
    predicate = {
        "builder": {"id": facts.builder},
        "buildType": _BUILD_TYPE,
        "materials": [
            {"uri": each.uri, "digest": digest_set(each.digest)} for each in facts.materials
        ],
        "invocation": _invocation(facts),
        "metadata": _metadata(facts),
    }
    return statement(PREDICATE_TYPE, predicate, subjects)


def _invocation(facts: Facts) -> dict[str, object]:
    context = facts.attributes.get("context", "")
    remote = context.startswith(_URL_CONTEXTS)
    config = {"entryPoint": facts.attributes.get("filename", "Dockerfile")}
    if remote:
        config = {"uri": context, **config}
    return {
        "configSource": config,
        "parameters": {
            "frontend": _FRONTEND,
            "args": _arguments(facts),
            "locals": [] if remote else [{"name": "context"}, {"name": "dockerfile"}],
        },
        "environment": {"platform": facts.platform},
    }


def _arguments(facts: Facts) -> dict[str, str]:
    hidden = _ABOUT_US if facts.mode == "max" else (*_ABOUT_US, *_CONFIDENTIAL)
    return {
        name: value
        for name, value in sorted(facts.attributes.items())
        if not name.startswith(hidden) and name not in ("context", "filename")
    }


def _metadata(facts: Facts) -> dict[str, object]:
    remote = facts.attributes.get("context", "").startswith(_URL_CONTEXTS)
    found: dict[str, object] = {
        "buildInvocationID": facts.reference,
        "buildStartedOn": format_file_time(facts.started_ns),
        "buildFinishedOn": format_file_time(facts.finished_ns),
        "completeness": {
            "parameters": facts.mode == "max",
            "environment": True,
            "materials": facts.complete and remote,
        },
        "reproducible": False,
    }
    ours: dict[str, object] = {}
    if facts.source or facts.revision:
        named = {"source": facts.source, "revision": facts.revision}
        ours["vcs"] = {name: value for name, value in named.items() if value}
    if facts.mode == "max" and facts.dockerfile is not None:
        name, data = facts.dockerfile
        info = {"filename": name, "language": "Dockerfile", "data": _encoded(data)}
        ours["source"] = {"infos": [info]}
    return found | ({_METADATA: ours} if ours else {})


def _encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def image_uri(name: str, platform: str) -> str:
    """The package URL of an image: ``pkg:docker/busybox@latest?platform=linux%2Famd64``."""
    repository, at, digest = name.partition("@")
    path, colon, tag = repository.rpartition(":")
    if not colon or "/" in tag:
        path, tag = repository, "" if at else "latest"
    short = path.removeprefix("docker.io/").removeprefix("library/")
    version = f"@{tag}" if tag else ""
    query = [f"digest={digest}"] if digest else []
    query += [f"platform={platform.replace('/', '%2F')}"] if platform else []
    return f"pkg:docker/{short}{version}" + (f"?{'&'.join(query)}" if query else "")
