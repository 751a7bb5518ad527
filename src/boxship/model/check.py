"""What a check of the store tells while it goes on (``boxship system check``)."""

from enum import StrEnum

import msgspec


class Outcome(StrEnum):
    """What became of something that is wrong."""

    REPAIRED = "repaired"
    REPAIRABLE = "repairable"
    """It can be put right without loss, and that was not asked for."""
    LOST = "lost"
    """What was there cannot be had from what is left here; ``remedy`` says what may help."""
    UNCHECKED = "unchecked"
    """It could not be looked at."""


class Finding(msgspec.Struct, frozen=True, tag="finding", tag_field="type"):
    """One thing that is wrong with an object, whose ``kind`` says what its ``id`` is."""

    kind: str
    """``records``, ``layer``, ``blob``, ``snapshot``, or ``garbage``, which has a path for an
    id."""
    id: str
    problem: str
    outcome: Outcome
    path: str = ""
    """In the layer; names that are not UTF-8 have ``\\xNN`` in them."""
    remedy: str = ""
    images: tuple[str, ...] = ()
    """Names, or ids of those without one, of what needs the object."""
    containers: tuple[str, ...] = ()


class CheckProgress(msgspec.Struct, frozen=True, tag="progress", tag_field="type"):
    """How far it is; bytes of layers and blobs."""

    kind: str
    id: str
    current: int
    total: int


class CheckSummary(msgspec.Struct, frozen=True, tag="summary", tag_field="type"):
    """The last event: how many objects were looked at, and how many things were wrong."""

    blobs: int = 0
    layers: int = 0
    snapshots: int = 0
    repaired: int = 0
    remaining: int = 0
    """What is still wrong."""


CheckEvent = Finding | CheckProgress | CheckSummary
