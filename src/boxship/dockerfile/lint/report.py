"""Findings for a person and for a program, as ``docker build --check`` shows them."""

import json
from collections.abc import Iterable

from boxship.dockerfile.errors import DockerfileError
from boxship.dockerfile.instructions import Dockerfile, Finding
from boxship.dockerfile.lint.rules import RULES
from boxship.dockerfile.places import Range, excerpt


def as_text(read: Dockerfile, findings: Iterable[Finding]) -> str:
    """Write each finding with the lines it is about; empty if there are none."""
    texts = dict(read.files)
    parts = []
    for finding in findings:
        where = finding.where
        lines = excerpt(where.file or read.name, texts.get(where.file, read.text), [where])
        head = f"WARNING: {finding.rule} - {RULES[finding.rule].url}"
        parts.append(f"{head}\n{finding.message}\n{lines}\n")
    return "\n".join(parts)


def as_json(
    read: Dockerfile, findings: Iterable[Finding], failed: DockerfileError | None = None
) -> str:
    """Return the document that BuildKit's lint subrequest answers with.

    ::

        {"warnings": [{"ruleName", "description", "url", "detail", "location"}],
         "sources": [{"filename", "language", "data"}], "buildError": {"message", "location"}}

    ``location`` is the index of a source and its ranges. Source data is not encoded in base64
    here, as Go's JSON has it: the caller knows the wire.
    """
    files = [read.name, *(name for name, _ in read.files)]
    document: dict[str, object] = {
        "warnings": [
            {
                "ruleName": finding.rule,
                "description": RULES[finding.rule].summary,
                "url": RULES[finding.rule].url,
                "detail": finding.message,
                "location": _location(files, finding.where),
            }
            for finding in findings
        ],
        "sources": [
            {"filename": name, "language": "Dockerfile", "data": text}
            for name, text in ((read.name, read.text), *read.files)
        ],
    }
    if failed is not None:
        location = _location(files, failed.where)
        document["buildError"] = {"message": str(failed), "location": location}
    return json.dumps(document, ensure_ascii=False)


def _location(files: list[str], where: Range) -> dict[str, object]:
    index = files.index(where.file) if where.file in files else 0
    start, end = {"line": where.line_start}, {"line": where.line_end}
    return {"sourceIndex": index, "ranges": [{"start": start, "end": end}]}
