"""Which images are kept for a name: one per platform, of one index.

A name leads to one image by itself (``tags``). What was pulled of an index for other platforms
stays beside it here. All variants of a name belong to one index, or to one manifest that stands
alone: a name that moves on leaves the others behind.

Pure but for reading and writing rows; ``Catalog`` decides when.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from boxship.oci import platform as platforms
from boxship.oci import reference
from boxship.oci.digest import Digest
from boxship.oci.platform import Platform
from boxship.oci.reference import Reference

LOAD = "SELECT name, platform, image_id, manifest, index_digest, at_ns FROM variants"


@dataclass(frozen=True, slots=True)
class Variant:
    """The image that a name means on one platform, and the documents it came by.

    ``manifest`` and ``index`` are blobs in the store; ``index`` is None if a manifest stood alone.
    ``at_ns`` is when it was pulled.
    """

    platform: Platform
    image_id: Digest
    manifest: Digest
    index: Digest | None
    at_ns: int

    @property
    def documents(self) -> set[Digest]:
        """The blobs it needs besides its config."""
        return {self.manifest} | ({self.index} if self.index else set())


def joined(before: Iterable[Variant], new: Sequence[Variant]) -> tuple[Variant, ...]:
    """Return the variants of a name after ``new`` were pulled for it."""
    indexes = {variant.index for variant in new if variant.index is not None}
    replaced = {variant.platform for variant in new}
    kept = (v for v in before if v.index in indexes and v.platform not in replaced)
    return (*kept, *new)


def preferred(
    variants: Iterable[Variant], wanted: Platform | None, host: Platform
) -> Variant | None:
    """Choose: what ``wanted`` asks for; without it what the host runs best, else the latest."""
    if wanted is not None:
        return _best(wanted, [v for v in variants if wanted.asks_for(v.platform)])
    variants = list(variants)
    runnable = [v for v in variants if host.runs(v.platform)]
    return _best(host, runnable) or max(variants, key=lambda v: v.at_ns, default=None)


def _best(target: Platform, candidates: Sequence[Variant]) -> Variant | None:
    order = platforms.by_preference(target, [variant.platform for variant in candidates])
    return candidates[order[0]] if order else None


def restored(row: Sequence[object]) -> tuple[Reference, Variant]:
    """Read a row of :data:`LOAD`."""
    name, platform, image_id, manifest, index, at_ns = row
    assert isinstance(at_ns, int)
    parts = str(platform).split("/")
    return reference.parse_canonical(str(name)), Variant(
        Platform(*(parts + [""] * (3 - len(parts)))),
        Digest.parse(str(image_id)),
        Digest.parse(str(manifest)),
        Digest.parse(str(index)) if index else None,
        at_ns,
    )


def write(db: sqlite3.Connection, name: Reference, variants: Iterable[Variant]) -> None:
    """Replace the rows of a name, within a transaction of the caller's."""
    db.execute("DELETE FROM variants WHERE name = ?", (str(name),))
    rows = [row(name, variant) for variant in variants]
    db.executemany("INSERT INTO variants VALUES(?, ?, ?, ?, ?, ?)", rows)


def row(name: Reference, variant: Variant) -> tuple[str | int, ...]:
    """Return the row that :func:`restored` reads."""
    platform = variant.platform
    return (
        str(name),
        "/".join((platform.os, platform.architecture, platform.variant)),
        str(variant.image_id),
        str(variant.manifest),
        str(variant.index or ""),
        variant.at_ns,
    )
