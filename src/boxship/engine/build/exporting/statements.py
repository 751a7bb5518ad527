"""What is told about an image: statements of in-toto (v0.1), each with a predicate; pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

import msgspec

from boxship.oci.digest import Digest
from boxship.oci.platform import Platform
from boxship.oci.reference import Reference

IN_TOTO = "application/vnd.in-toto+json"
SLSA, SPDX = "https://slsa.dev/provenance/v0.2", "https://spdx.dev/Document"
_STATEMENT = "https://in-toto.io/Statement/v0.1"


@dataclass(frozen=True, slots=True)
class Statement:
    """A predicate (a JSON document) about an image that has no digest yet."""

    predicate_type: str
    predicate: bytes
    filename: str
    """Of outputs that are files."""

    def text(self, digest: Digest, names: Sequence[Reference], platform: Platform) -> bytes:
        """Return the statement about the manifest ``digest``."""
        subjects = [
            {"name": package_url(name, platform), "digest": {digest.algorithm: digest.hex}}
            for name in names
        ]
        unnamed = [{"name": "_", "digest": {digest.algorithm: digest.hex}}]
        return msgspec.json.encode(
            {
                "_type": _STATEMENT,
                "predicateType": self.predicate_type,
                "subject": subjects or unnamed,
                "predicate": msgspec.Raw(self.predicate),
            }
        )


def package_url(name: Reference, platform: Platform) -> str:
    """Write an image as a package URL (purl-spec, type docker)."""
    version = name.tag or str(name.digest or "")
    return f"pkg:docker/{name.familiar_name}@{version}?platform={quote(str(platform), safe='')}"
