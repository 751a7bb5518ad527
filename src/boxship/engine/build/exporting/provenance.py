"""How an image came about, as SLSA's provenance (v0.2) says it; pure.

``min``: what it was made of, where, when and with which Dockerfile's name. ``max``: also the
arguments, and the Dockerfile itself. Values of secrets are known to nobody here.
"""

import base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import msgspec

from boxship.base.clock import format_ns
from boxship.engine.build.exporting.statements import SLSA, Statement, package_url
from boxship.engine.build.planning.wish import BaseImage
from boxship.engine.build.progress import SourceText
from boxship.engine.build.requests import BuildRequest, DockerfileAt, RemoteSource
from boxship.oci import reference
from boxship.oci.platform import Platform
from boxship.oci.reference import InvalidReferenceError

BUILD_TYPE = "https://mobyproject.org/buildkit@v1"
_METADATA = f"{BUILD_TYPE}#metadata"
Plain = dict[str, object]


@dataclass(frozen=True, slots=True)
class Course:
    """What a build knows of itself."""

    started_ns: int
    finished_ns: int
    bases: tuple[BaseImage, ...]
    dockerfile: SourceText | None = None


def provenance(request: BuildRequest, course: Course, host: Platform) -> Statement:
    """Return the statement of a build."""
    wanted = request.attestations
    whole = wanted.provenance == "max"
    predicate: Plain = {
        "builder": {"id": wanted.provenance_attributes.get("builder-id", "")},
        "buildType": BUILD_TYPE,
        "materials": list(_materials(request, course.bases)),
        "invocation": {
            "configSource": _source(request),
            "parameters": _parameters(request, whole=whole),
            "environment": {"platform": str(host)},
        },
        "metadata": _metadata(request, course, whole=whole),
    }
    return Statement(SLSA, msgspec.json.encode(predicate), "provenance.json")


def _materials(request: BuildRequest, bases: Iterable[BaseImage]) -> Iterable[Plain]:
    seen = set()
    for base in bases:
        try:
            name = reference.parse(base.name)
        except InvalidReferenceError:
            continue
        digest = str(name.digest or base.id)
        uri = package_url(name, base.image.platform)
        if digest and uri not in seen:
            seen.add(uri)
            algorithm, _, value = digest.partition(":")
            yield {"uri": uri, "digest": {algorithm: value}}
    if isinstance(request.context, RemoteSource):
        yield {"uri": request.context.url}


def _source(request: BuildRequest) -> Plain:
    found: Plain = {}
    if isinstance(request.dockerfile, DockerfileAt):
        found["entryPoint"] = request.dockerfile.path
    if isinstance(request.context, RemoteSource):
        found["uri"] = request.context.url
    return found


def _parameters(request: BuildRequest, *, whole: bool) -> Plain:
    arguments: dict[str, str] = {}
    if whole:
        arguments |= _named("build-arg", request.build_args)
        arguments |= _named("label", request.labels)
    if request.target:
        arguments["target"] = request.target
    if request.cache.disabled:
        arguments["no-cache"] = ""
    parameters: Plain = {"frontend": "dockerfile.v0"}
    if arguments:
        parameters["args"] = arguments
    if not isinstance(request.context, RemoteSource):
        parameters["locals"] = [{"name": "context"}, {"name": "dockerfile"}]
    return parameters


def _named(kind: str, values: Mapping[str, str | None]) -> dict[str, str]:
    return {f"{kind}:{name}": value or "" for name, value in values.items()}


def _metadata(request: BuildRequest, course: Course, *, whole: bool) -> Plain:
    local = not isinstance(request.context, RemoteSource)
    metadata: Plain = {
        "buildInvocationID": request.reference,
        "buildStartedOn": format_ns(course.started_ns),
        "buildFinishedOn": format_ns(course.finished_ns),
        "completeness": {"parameters": whole, "environment": True, "materials": not local},
        "reproducible": request.attestations.provenance_attributes.get("reproducible") == "true",
    }
    if whole and course.dockerfile is not None:
        data = base64.b64encode(course.dockerfile.data).decode()
        info = {"filename": course.dockerfile.filename, "language": "Dockerfile", "data": data}
        metadata[_METADATA] = {"source": {"infos": [info]}}
    return metadata
