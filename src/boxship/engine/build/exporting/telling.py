"""What is told beside images: who asks for it, and what it is made of."""

import os
import stat
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from boxship.engine.build.attestations import provenance, sbom
from boxship.engine.build.attestations.statements import Statement, Subject
from boxship.engine.build.files.roots import Workshop
from boxship.engine.build.planning.filesteps import shown_url
from boxship.engine.build.planning.wish import BaseImage
from boxship.engine.build.progress import SourceText
from boxship.engine.build.requests import BuildRequest, RemoteSource
from boxship.engine.build.trees import Tree
from boxship.kernel.paths import RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS, openat2
from boxship.oci import platform as platforms
from boxship.oci.platform import Platform
from boxship.oci.reference import Reference

Scans = Mapping[Platform, Sequence[tuple[str, Tree]]]
"""Trees that are looked through for packages, by what they are called."""
Attest = Callable[[Sequence[Subject]], Statement]
"""Makes a statement, once it is known of what."""

_OF_THIS_MACHINE = frozenset({"cgroup-parent", "image-resolve-mode", "platform", "cache-imports"})
"""Attributes that say nothing about what was built."""
_MOST = 64 << 20
"""Bytes of a file: an image may have anything in the place of a database."""
_READ = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_SAFE = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS


@dataclass(frozen=True, slots=True)
class Course:
    """What a build knows of itself."""

    started_ns: int = 0
    bases: tuple[BaseImage, ...] = ()
    dockerfile: SourceText | None = None
    scans: Scans = field(default_factory=dict)
    """Stages and contexts that are looked through beside the images."""


def filename(statement: Statement) -> str:
    """Name a statement where it is a file beside others."""
    if statement.predicate_type == provenance.PREDICATE_TYPE:
        return "provenance.json"
    part = f"-{statement.part.replace('/', '_')}" if statement.part else ""
    return f"sbom{part}.spdx.json"


def subjects(names: Iterable[Reference], digest: str, platform: Platform) -> list[Subject]:
    """Return of what is spoken: an image under all of its names."""
    urls = [provenance.image_uri(str(name), str(platform)) for name in names]
    return [Subject(url, digest) for url in urls or ["_"]]


def attest_provenance(request: BuildRequest, course: Course, finished_ns: int) -> Attest:
    """Return what tells how the build went."""
    wanted = request.attestations
    facts = provenance.Facts(
        mode=wanted.provenance,
        attributes=_attributes(request),
        materials=_materials(request, course.bases),
        platform=str(platforms.host()),
        reference=request.reference,
        started_ns=course.started_ns,
        finished_ns=finished_ns,
        dockerfile=_dockerfile(course),
        source=request.frontend_attributes.get("vcs:source", ""),
        revision=request.frontend_attributes.get("vcs:revision", ""),
        builder=wanted.provenance_attributes.get("builder-id", ""),
    )
    return lambda about: provenance.provenance(facts, about)


def attest_packages(
    workshop: Workshop, tree: Tree, name: str, created_ns: int, part: str = ""
) -> Callable[[Sequence[Subject]], Statement]:
    """Return what tells of the packages in a tree; it reads them when it is called, blocking.

    ``part`` names a tree that isn't the image itself.
    """

    def read(about: Sequence[Subject]) -> Statement:
        with workshop.reading(tree) as root:
            found = sbom.sbom(part or name, _Files(root), created_ns, about)
        return replace(found, part=part)

    return read


def _attributes(request: BuildRequest) -> dict[str, str]:
    found = dict(request.frontend_attributes)
    if isinstance(request.context, RemoteSource):
        found.setdefault("context", shown_url(request.context.url))
    if request.target:
        found.setdefault("target", request.target)
    for kind, values in (("build-arg", request.build_args), ("label", request.labels)):
        for name, value in values.items():
            found.setdefault(f"{kind}:{name}", value or "")
    return {n: shown_url(value) for n, value in found.items() if n not in _OF_THIS_MACHINE}


def _materials(
    request: BuildRequest, bases: Iterable[BaseImage]
) -> tuple[provenance.Material, ...]:
    found = {}
    for base in bases:
        name, _, digest = base.name.partition("@")
        uri = provenance.image_uri(name, str(base.image.platform))
        found[uri] = provenance.Material(uri, digest or base.id)
    if isinstance(request.context, RemoteSource):
        url = shown_url(request.context.url)
        found[url] = provenance.Material(url, "")
    return tuple(found[uri] for uri in sorted(found))


def _dockerfile(course: Course) -> tuple[str, bytes] | None:
    source = course.dockerfile
    return None if source is None else (source.filename, source.data)


class _Files:
    """A tree's files, as it would find them itself."""

    def __init__(self, root: int) -> None:
        self._root = root

    def read(self, path: str) -> bytes | None:
        try:
            fd = openat2(self._root, path, _READ, _SAFE)
        except OSError:
            return None
        with open(fd, "rb") as file:
            return file.read(_MOST) if stat.S_ISREG(os.fstat(fd).st_mode) else None

    def names(self, directory: str) -> tuple[str, ...]:
        try:
            fd = openat2(self._root, directory, _READ | os.O_DIRECTORY, _SAFE)
        except OSError:
            return ()
        try:
            return tuple(sorted(os.listdir(fd)))
        finally:
            os.close(fd)
