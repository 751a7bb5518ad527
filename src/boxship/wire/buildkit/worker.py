"""``moby.buildkit.v1.types`` and ``moby.buildkit.v1.apicaps``: who works, and what it can do."""

from typing import Annotated

from boxship.wire.buildkit.solver import Platform
from boxship.wire.protobuf import Message


class GCPolicy(Message, frozen=True):
    """A rule of garbage collection; durations in nanoseconds, sizes in bytes."""

    all: Annotated[bool, 1] = False
    keep_duration: Annotated[int, 2] = 0
    filters: Annotated[tuple[str, ...], 4] = ()
    reserved_space: Annotated[int, 3] = 0
    """Once called ``keepBytes``."""
    max_used_space: Annotated[int, 5] = 0
    min_free_space: Annotated[int, 6] = 0


class BuildkitVersion(Message, frozen=True):
    package: Annotated[str, 1] = ""
    version: Annotated[str, 2] = ""
    revision: Annotated[str, 3] = ""


class WorkerRecord(Message, frozen=True):
    id: Annotated[str, 1] = ""
    labels: Annotated[dict[str, str], 2] = {}
    platforms: Annotated[tuple[Platform, ...], 3] = ()
    gc_policy: Annotated[tuple[GCPolicy, ...], 4] = ()
    buildkit_version: Annotated[BuildkitVersion | None, 5] = None


class APICap(Message, frozen=True):
    """Something that a client may ask for, or may not."""

    id: Annotated[str, 1] = ""
    enabled: Annotated[bool, 2] = False
    deprecated: Annotated[bool, 3] = False
    disabled_reason: Annotated[str, 4] = ""
    disabled_reason_message: Annotated[str, 5] = ""
    disabled_alternative: Annotated[str, 6] = ""
