"""Which build is meant: by its name, or by its place among all of them."""

from boxship.base.errors import NotFoundError
from boxship.client.buildkit.builder import Builder
from boxship.wire.buildkit.history import BuildHistoryRecord


def find(builder: Builder, reference: str) -> BuildHistoryRecord:
    """``REF``, ``BUILDER/NODE/REF``, ``^0`` for the last one, ``^1`` for the one before.

    An empty reference is the last one.
    """
    records = builder.records()
    text = reference.rpartition("/")[2] or "^0"
    if text.startswith("^") and text[1:].isdigit():
        completed = [record for record in records if record.completed_at is not None]
        place = int(text[1:])
        if place < len(completed):
            return completed[place]
        raise NotFoundError(f"no record {text} found: the builder knows {len(completed)}")
    found = [record for record in records if record.ref == text]
    found = found or [record for record in records if record.ref.startswith(text)]
    if len(found) != 1:
        problem = "several records have" if found else "no record has"
        raise NotFoundError(f"{problem} the ref {text!r}")
    return found[0]
