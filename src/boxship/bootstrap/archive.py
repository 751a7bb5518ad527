"""What a mirror offers: releases and the packages in them.

::

    <mirror>/dists/<suite>/InRelease                      signed; digests of all that follow
    <mirror>/dists/<suite>/<component>/binary-<arch>/Packages.xz
    <mirror>/pool/…/<package>_<version>_<arch>.deb        digest in Packages
"""

import hashlib
import lzma
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from boxship.bootstrap.control import paragraphs
from boxship.bootstrap.distributions import Source, Target
from boxship.bootstrap.errors import (
    BadSignatureError,
    DamagedDownloadError,
    MalformedPackageError,
    NotOnMirrorError,
)
from boxship.bootstrap.mirror import Mirrors
from boxship.bootstrap.signature import signed_text
from boxship.bootstrap.versions import compare

_LARGEST_RELEASE = 8 << 20
_LARGEST_INDEX = 64 << 20
_LARGEST_INDEX_UNPACKED = 512 << 20

_PRIORITIES = ("required", "important", "standard", "optional", "extra")
_PACKAGE_NAME = re.compile(r"\s*[^\s:(\[<]+")  # before a version, an architecture, a profile


@dataclass(frozen=True, slots=True)
class Release:
    """The signed head of a suite."""

    suite: str
    codename: str
    valid_until: datetime | None
    files: Mapping[str, tuple[str, int]]
    """SHA-256 and size by path below the suite."""


@dataclass(frozen=True, slots=True)
class Package:
    """One version of a package on a mirror. ``depends`` has groups of alternatives, by name."""

    name: str
    version: str
    architecture: str
    priority: str
    essential: bool
    depends: tuple[tuple[str, ...], ...]
    pre_depends: tuple[tuple[str, ...], ...]
    provides: tuple[str, ...]
    url: str
    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class Offer:
    """All packages of the chosen sources, the newest version of each."""

    packages: Mapping[str, Package]
    providers: Mapping[str, tuple[str, ...]]
    """Names of packages by the virtual name they provide: the most important one first, as apt."""

    @classmethod
    def of(cls, packages: Iterable[Package]) -> "Offer":
        """Keep the newest version of each."""
        newest: dict[str, Package] = {}
        for package in packages:
            before = newest.get(package.name)
            if before is None or compare(package.version, before.version) > 0:
                newest[package.name] = package
        providers: dict[str, list[str]] = {}
        for package in sorted(newest.values(), key=_importance):
            for virtual in package.provides:
                providers.setdefault(virtual, []).append(package.name)
        return cls(newest, {name: tuple(found) for name, found in providers.items()})


def read_offer(target: Target, mirrors: Mirrors, keyring: str = "") -> Offer:
    """Read every source of the target. None may be missing: security would be the first to go."""
    return Offer.of(
        package
        for source in target.sources
        for package in _packages(source, target, mirrors, keyring)
    )


def _importance(package: Package) -> tuple[int, str]:
    rank = _PRIORITIES.index(package.priority) if package.priority in _PRIORITIES else 9
    return rank, package.name


def _packages(source: Source, target: Target, mirrors: Mirrors, keyring: str) -> Iterator[Package]:
    top = f"{source.uri}/dists/{source.suite}"
    release = _release(f"{top}/InRelease", source, target, mirrors, keyring)
    found = False
    for component in source.components:
        path = f"{component}/binary-{target.architecture}/Packages.xz"
        if path not in release.files:
            continue
        found = True
        text = _index(f"{top}/{path}", release.files[path], mirrors)
        yield from parse_packages(text, source.uri)
    if not found:
        raise NotOnMirrorError(
            f"{source.uri} has no {'/'.join(source.components)} of {source.suite} "
            f"for {target.architecture}"
        )


def _release(url: str, source: Source, target: Target, mirrors: Mirrors, keyring: str) -> Release:
    try:
        document = mirrors.document(url, largest=_LARGEST_RELEASE)
    except NotOnMirrorError as error:
        raise NotOnMirrorError(
            f"{source.uri} has no suite {source.suite!r} ({url} does not exist)"
        ) from error
    release = parse_release(signed_text(document, target.distribution, url, keyring))
    if source.suite not in (release.suite, release.codename):
        # A signed release of another suite in its place is what an attacker would answer with.
        raise BadSignatureError(f"{url} is the release of {release.suite} ({release.codename})")
    if release.valid_until and release.valid_until < datetime.now(UTC) and not target.snapshot:
        raise BadSignatureError(f"{url} was valid until {release.valid_until}; is the clock right?")
    return release


def parse_release(text: str) -> Release:
    """Read the text of a release. Raise MalformedPackageError."""
    for fields in paragraphs(text):
        files: dict[str, tuple[str, int]] = {}
        for line in fields.get("sha256", "").split("\n"):
            words = line.split()
            if len(words) == 3 and words[1].isdigit():
                files[words[2]] = (words[0], int(words[1]))
        until = fields.get("valid-until", "")
        return Release(
            fields.get("suite", ""),
            fields.get("codename", ""),
            _date(until) if until else None,
            files,
        )
    raise MalformedPackageError("the release is empty")


def _date(text: str) -> datetime:
    try:
        return parsedate_to_datetime(text.replace("UTC", "+0000"))
    except ValueError as error:
        raise MalformedPackageError(f"the release has no date: {text!r}") from error


def _index(url: str, expected: tuple[str, int], mirrors: Mirrors) -> str:
    digest, size = expected
    data = mirrors.document(url, largest=min(size, _LARGEST_INDEX))
    if len(data) != size or hashlib.sha256(data).hexdigest() != digest:
        raise DamagedDownloadError(
            f"{url} is not the file that the signed release announces: the mirror is being "
            "updated or damaged; try again later or name another with --mirror"
        )
    try:
        text = lzma.LZMADecompressor().decompress(data, _LARGEST_INDEX_UNPACKED)
    except lzma.LZMAError as error:
        raise MalformedPackageError(f"{url}: {error}") from error
    return text.decode("utf-8", "replace")


def parse_packages(text: str, uri: str) -> Iterator[Package]:
    """Yield the packages of an index. Raise MalformedPackageError naming the one that is wrong."""
    for fields in paragraphs(text):
        try:
            yield Package(
                name=fields["package"],
                version=fields["version"],
                architecture=fields["architecture"],
                priority=fields.get("priority", "optional"),
                essential=fields.get("essential") == "yes",
                depends=relations(fields.get("depends", "")),
                pre_depends=relations(fields.get("pre-depends", "")),
                provides=tuple(group[0] for group in relations(fields.get("provides", ""))),
                url=f"{uri}/{fields['filename']}",
                sha256=fields["sha256"],
                size=int(fields["size"]),
            )
        except (KeyError, ValueError) as error:
            name = fields.get("package", "without a name")
            raise MalformedPackageError(f"index of {uri}: package {name}: {error}") from error


def relations(text: str) -> tuple[tuple[str, ...], ...]:
    """Read ``a (>= 1) | b, c:any`` as names; versions within one release agree with each other."""
    groups = (group.split("|") for group in text.replace("\n", " ").split(",") if group.strip())
    return tuple(tuple(_name(choice) for choice in group) for group in groups)


def _name(relation: str) -> str:
    found = _PACKAGE_NAME.match(relation)
    return found[0].strip() if found else ""
