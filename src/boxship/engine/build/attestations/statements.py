"""In-toto statements: something is said (the predicate) about something (the subjects).

https://github.com/in-toto/attestation/blob/main/spec/v0.1.0/statement.md
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

MEDIA_TYPE = "application/vnd.in-toto+json"
_STATEMENT_TYPE = "https://in-toto.io/Statement/v0.1"


@dataclass(frozen=True, slots=True)
class Subject:
    """What is spoken of: a package URL, or ``_``, and the digest of a manifest."""

    name: str
    digest: str


@dataclass(frozen=True, slots=True)
class Statement:
    """One document. ``predicate_type`` is the annotation ``in-toto.io/predicate-type``."""

    predicate_type: str
    data: bytes
    part: str = ""
    """What it speaks of beside the image itself: a stage, the context."""


def statement(
    predicate_type: str, predicate: Mapping[str, object], subjects: Sequence[Subject]
) -> Statement:
    """Write the document: members in their order, no spaces, so that its digest can be told."""
    document = {
        "_type": _STATEMENT_TYPE,
        "predicateType": predicate_type,
        "subject": [{"name": each.name, "digest": digest_set(each.digest)} for each in subjects],
        "predicate": predicate,
    }
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    return Statement(predicate_type, text.encode("utf-8", "surrogateescape"))


def digest_set(digest: str) -> dict[str, str]:
    """``sha256:ab…`` as ``{"sha256": "ab…"}``; empty for what has no digest."""
    algorithm, separator, value = digest.partition(":")
    return {algorithm: value} if separator else {}
