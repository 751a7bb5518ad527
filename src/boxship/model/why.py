"""Why something is as it is, as ``GET /containers/{id}/why`` and its like tell it."""

from msgspec import Struct

from boxship.model.requester import NOBODY, Requester


class Moment(Struct, frozen=True, omit_defaults=True, rename="pascal", kw_only=True):
    """Something that happened, in words; ``at`` is RFC 3339, as in ``inspect``."""

    at: str
    what: str
    by: Requester = NOBODY


class Holder(Struct, frozen=True, rename="pascal"):
    """What keeps something: it can't be removed, or used by others, until this lets go."""

    kind: str
    """``container``, ``image``, ``network``, ``process``, ``name``, ``layer`` …"""
    id: str
    name: str
    how: str
    """``has it mounted at /data``."""


class Taking(Struct, frozen=True, rename="pascal"):
    """Something on the disk, or what a container has; ``size`` in bytes, -1: not known."""

    kind: str
    name: str
    size: int
    why: str


class Why(Struct, frozen=True, rename="pascal", kw_only=True):
    """The answer: one sentence, the facts that it rests on, and who holds it."""

    kind: str
    """``container``, ``image``, ``volume``, ``network``, ``port`` or ``disk``."""
    id: str
    name: str
    status: str = ""
    answer: str
    facts: tuple[str, ...] = ()
    """Further sentences; the evidence."""
    holders: tuple[Holder, ...] = ()
    takes: tuple[Taking, ...] = ()
    past: tuple[Moment, ...] = ()
    """Oldest first."""
