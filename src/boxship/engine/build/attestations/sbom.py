"""What is in an image: the packages that its package databases name, as SPDX 2.3 JSON.

https://spdx.github.io/spdx-spec/v2.3. Debian's and Alpine's databases are read, and the metadata of
Python's distributions. A package is what a database says is installed; files that belong to none
are not listed.
"""

import hashlib
from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol
from urllib.parse import quote

from boxship.base.clock import format_file_time
from boxship.engine.build.attestations.statements import Statement, Subject, statement

PREDICATE_TYPE = "https://spdx.dev/Document"
_NOTHING_SAID = "NOASSERTION"
_PYTHONS = ("usr/local/lib", "usr/lib", "opt/venv/lib")
_PACKAGES = ("site-packages", "dist-packages")
_METADATA = ((".dist-info", "METADATA"), (".egg-info", "PKG-INFO"))


class Tree(Protocol):
    """An image's files. Paths are relative to its root; links on the way are followed in it."""

    def read(self, path: str) -> bytes | None:
        """Return a file's content; None if there is no such file."""
        ...

    def names(self, directory: str) -> tuple[str, ...]:
        """Return what is in a directory; nothing if there is none."""
        ...


class Package(NamedTuple):
    """One installed package. ``kind`` is that of its package URL: deb, apk, pypi."""

    kind: str
    name: str
    version: str
    architecture: str = ""
    source: str = ""
    license: str = ""


def sbom(name: str, tree: Tree, created_ns: int, subjects: Sequence[Subject]) -> Statement:
    """Return the statement about an image called ``name``."""
    distribution = _distribution(tree.read("etc/os-release") or tree.read("usr/lib/os-release"))
    found = sorted(set(packages(tree)))
    described = [_described(number, each, distribution) for number, each in enumerate(found)]
    told = "".join(subject.digest for subject in subjects) + name
    identity = hashlib.sha256(told.encode()).hexdigest()
    predicate = {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": name,
        "documentNamespace": f"https://spdx.org/spdxdocs/boxship-{identity}",
        "creationInfo": {"created": _whole_seconds(created_ns), "creators": ["Tool: boxship"]},
        "packages": described,
        "relationships": [
            {
                "spdxElementId": "SPDXRef-DOCUMENT",
                "relatedSpdxElement": each["SPDXID"],
                "relationshipType": "DESCRIBES",
            }
            for each in described
        ],
    }
    return statement(PREDICATE_TYPE, predicate, subjects)


def packages(tree: Tree) -> Iterator[Package]:
    """Yield every package that a database of the image names."""
    yield from _debian(tree.read("var/lib/dpkg/status") or b"")
    for name in tree.names("var/lib/dpkg/status.d"):  # images without dpkg itself
        if not name.endswith(".md5sums"):
            yield from _debian(tree.read(f"var/lib/dpkg/status.d/{name}") or b"", installed=True)
    yield from _alpine(tree.read("lib/apk/db/installed") or b"")
    for library in _PYTHONS:
        for version in tree.names(library):
            if version.startswith("python"):
                yield from _python(tree, f"{library}/{version}")


def _debian(data: bytes, *, installed: bool = False) -> Iterator[Package]:
    for fields in _paragraphs(data, ": "):
        state = fields.get("Status", "").split()
        if fields.get("Package") and (installed or state[-1:] == ["installed"]):
            source = fields.get("Source", "").partition(" ")[0]
            yield Package(
                "deb",
                fields["Package"],
                fields.get("Version", ""),
                fields.get("Architecture", ""),
                source,
            )


def _alpine(data: bytes) -> Iterator[Package]:
    for fields in _paragraphs(data, ":"):
        if fields.get("P"):
            yield Package(
                "apk",
                fields["P"],
                fields.get("V", ""),
                fields.get("A", ""),
                fields.get("o", ""),
                fields.get("L", ""),
            )


def _paragraphs(data: bytes, separator: str) -> Iterator[dict[str, str]]:
    """Fields of each paragraph; of lines that go on only the first counts."""
    fields: dict[str, str] = {}
    for line in data.decode("utf-8", "replace").split("\n"):
        if not line.strip():
            if fields:
                yield fields
            fields = {}
        elif not line.startswith((" ", "\t")):
            name, found, value = line.partition(separator.strip())
            if found:
                fields.setdefault(name, value.strip())
    if fields:
        yield fields


def _python(tree: Tree, library: str) -> Iterator[Package]:
    for place in _PACKAGES:
        for name in tree.names(f"{library}/{place}"):
            file = next((file for end, file in _METADATA if name.endswith(end)), "")
            if not file:
                continue
            data = tree.read(f"{library}/{place}/{name}/{file}") or b""
            # The headers end with the first empty line; behind it is a description.
            head = next(_paragraphs(data.partition(b"\n\n")[0], ": "), {})
            if head.get("Name"):
                yield Package("pypi", head["Name"], head.get("Version", ""))


def _distribution(data: bytes | None) -> tuple[str, str]:
    """``("debian", "12")`` from os-release; empty if it does not say."""
    fields: dict[str, str] = {}
    for line in (data or b"").decode("utf-8", "replace").split("\n"):
        name, _, value = line.partition("=")
        fields[name.strip()] = value.strip().strip("\"'")
    return fields.get("ID", ""), fields.get("VERSION_ID", "")


def _described(number: int, package: Package, distribution: tuple[str, str]) -> dict[str, object]:
    return {
        "name": package.name,
        "SPDXID": f"SPDXRef-Package-{number}-{_identifier(package.name)}",
        "versionInfo": package.version,
        "downloadLocation": _NOTHING_SAID,
        "filesAnalyzed": False,
        "licenseConcluded": _NOTHING_SAID,
        "licenseDeclared": _NOTHING_SAID,
        **({"licenseComments": package.license} if package.license else {}),
        "copyrightText": _NOTHING_SAID,
        "externalRefs": [
            {
                "referenceCategory": "PACKAGE-MANAGER",
                "referenceType": "purl",
                "referenceLocator": purl(package, distribution),
            }
        ],
    }


def purl(package: Package, distribution: tuple[str, str]) -> str:
    """The package URL (https://github.com/package-url/purl-spec)."""
    system, version = distribution
    if package.kind == "pypi":
        name = package.name.lower().replace("_", "-")
        return f"pkg:pypi/{quote(name)}@{quote(package.version)}"
    qualifiers = [
        ("arch", package.architecture),
        ("distro", f"{system}-{version}" if system and version else system),
        ("upstream", package.source if package.source != package.name else ""),
    ]
    query = "&".join(f"{name}={quote(value)}" for name, value in qualifiers if value)
    place = f"{package.kind}/{quote(system)}/" if system else f"{package.kind}/"
    base = f"pkg:{place}{quote(package.name)}@{quote(package.version)}"
    return f"{base}?{query}" if query else base


def _identifier(name: str) -> str:
    """What SPDX allows in identifiers."""
    return "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in name)


def _whole_seconds(nanoseconds: int) -> str:
    return format_file_time(nanoseconds // 1_000_000_000 * 1_000_000_000)
