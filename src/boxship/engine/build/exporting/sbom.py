"""The packages in an image, as SPDX 2.3 says it: those that package managers have written down.

Read are the databases of dpkg and apk, and the metadata of Python's packages. Other scanners look
into programs, too; what they guess is not here.
"""

import email.parser
import hashlib
import re
import stat
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import msgspec

from boxship.base.clock import format_ns
from boxship.engine.build.exporting.statements import SPDX, Statement
from boxship.storage.layered import LayeredTree, Node
from boxship.storage.tree import Path

_MOST = 16 << 20
"""Bytes of one file: an image may have anything in the place of a database."""
_DPKG, _DPKG_PARTS = (b"var", b"lib", b"dpkg", b"status"), (b"var", b"lib", b"dpkg", b"status.d")
_APK = (b"lib", b"apk", b"db", b"installed")
_PYTHON = re.compile(rb"python3(\.\d+)?")
_LIBRARIES = ((b"usr", b"lib"), (b"usr", b"local", b"lib"))
_SITES = (b"site-packages", b"dist-packages")


@dataclass(frozen=True, slots=True, order=True)
class Package:
    """One package, in the words of its package manager."""

    kind: str
    """``deb``, ``apk`` or ``pypi``, as package URLs have it."""
    name: str
    version: str
    architecture: str = ""
    license: str = ""

    @property
    def url(self) -> str:
        qualifier = f"?arch={self.architecture}" if self.architecture else ""
        return f"pkg:{self.kind}/{self.name}@{self.version}{qualifier}"


def sbom(trees: Sequence[str], opaque: str, name: str, created_ns: int) -> Statement:
    """Look through layers (their trees, topmost first) and return the statement; blocking."""
    found = sorted(set(_packages(trees, opaque))) if trees else []
    return Statement(SPDX, document(found, name, created_ns), "sbom.spdx.json")


def document(packages: Iterable[Package], name: str, created_ns: int) -> bytes:
    """Write the SPDX document."""
    listed = [_listed(package) for package in packages]
    content = msgspec.json.encode(listed)
    described = [
        {
            "spdxElementId": "SPDXRef-DOCUMENT",
            "relationshipType": "DESCRIBES",
            "relatedSpdxElement": package["SPDXID"],
        }
        for package in listed
    ]
    return msgspec.json.encode(
        {
            "spdxVersion": "SPDX-2.3",
            "dataLicense": "CC0-1.0",
            "SPDXID": "SPDXRef-DOCUMENT",
            "name": name,
            "documentNamespace": f"urn:sha256:{hashlib.sha256(content).hexdigest()}",
            "creationInfo": {
                "created": f"{format_ns(created_ns)[:19]}Z",
                "creators": ["Tool: boxship"],
            },
            "packages": listed,
            "relationships": described,
        }
    )


def _listed(package: Package) -> dict[str, object]:
    identity = re.sub(r"[^A-Za-z0-9.-]+", "-", f"{package.kind}-{package.name}-{package.version}")
    return {
        "SPDXID": f"SPDXRef-Package-{identity}-{package.architecture or 'any'}",
        "name": package.name,
        "versionInfo": package.version,
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": False,
        "licenseConcluded": "NOASSERTION",
        "licenseDeclared": "NOASSERTION",
        "licenseComments": package.license or "unknown",
        "externalRefs": [
            {
                "referenceCategory": "PACKAGE-MANAGER",
                "referenceType": "purl",
                "referenceLocator": package.url,
            }
        ],
    }


def _packages(trees: Sequence[str], opaque: str) -> Iterator[Package]:
    with LayeredTree(trees, opaque) as tree:
        files = [_DPKG, *_inside(tree, _DPKG_PARTS)]
        for path in files:
            yield from _dpkg(_text(tree, path))
        yield from _apk(_text(tree, _APK))
        for path in _metadata_files(tree):
            yield from _python(_text(tree, path))


def _dpkg(text: str) -> Iterator[Package]:
    for paragraph in re.split(r"\n\s*\n", text):
        fields = dict(re.findall(r"^([A-Za-z-]+): ?(.*)$", paragraph, re.MULTILINE))
        installed = fields.get("Status", "install ok installed").endswith(" installed")
        if installed and fields.get("Package") and fields.get("Version"):
            yield Package(
                "deb/debian", fields["Package"], fields["Version"], fields.get("Architecture", "")
            )


def _apk(text: str) -> Iterator[Package]:
    for paragraph in text.split("\n\n"):
        fields = {line[:1]: line[2:] for line in paragraph.splitlines() if line[1:2] == ":"}
        if "P" in fields and "V" in fields:
            yield Package(
                "apk/alpine", fields["P"], fields["V"], fields.get("A", ""), fields.get("L", "")
            )


def _python(text: str) -> Iterator[Package]:
    message = email.parser.HeaderParser().parsestr(text)
    name, version = message.get("Name"), message.get("Version")
    if name and version:
        normal = re.sub(r"[-_.]+", "-", name).lower()
        license_ = (message.get("License-Expression") or message.get("License") or "")[:100]
        yield Package("pypi", normal, version, license=license_.split("\n")[0])


def _metadata_files(tree: LayeredTree) -> Iterator[Path]:
    for library in _LIBRARIES:
        for version in _inside(tree, library):
            if not _PYTHON.fullmatch(version[-1]):
                continue
            for site in _SITES:
                for entry in _inside(tree, (*version, site)):
                    if entry[-1].endswith(b".dist-info"):
                        yield (*entry, b"METADATA")


def _inside(tree: LayeredTree, path: Path) -> list[Path]:
    node = _node(tree, path)
    if node is None or not node.is_directory:
        return []
    return [(*path, name) for name in tree.children(node)]


def _node(tree: LayeredTree, path: Path) -> Node | None:
    """Find a file by its real path: databases are where they are."""
    node: Node | None = tree.root()
    for part in path:
        node = tree.child(node, part) if node is not None and node.is_directory else None
    return node


def _text(tree: LayeredTree, path: Path) -> str:
    node = _node(tree, path)
    if node is None or not stat.S_ISREG(node.found.st_mode):
        return ""
    with tree.looking(node) as fd, open(f"/proc/self/fd/{fd}", "rb") as file:
        return file.read(_MOST).decode("utf-8", "replace")
