"""``moby.buildkit.v1``, the part about builds of before."""

from enum import IntEnum
from typing import Annotated

from boxship.wire.buildkit.control import Exporter
from boxship.wire.buildkit.wellknown import RpcStatus, Timestamp
from boxship.wire.protobuf import Message


class EventType(IntEnum):
    """What became of a build."""

    STARTED = 0
    COMPLETE = 1
    DELETED = 2


class Descriptor(Message, frozen=True):
    media_type: Annotated[str, 1] = ""
    digest: Annotated[str, 2] = ""
    size: Annotated[int, 3] = 0
    annotations: Annotated[dict[str, str], 5] = {}


class BuildResultInfo(Message, frozen=True):
    result: Annotated[Descriptor | None, 1] = None
    attestations: Annotated[tuple[Descriptor, ...], 2] = ()
    results: Annotated[dict[int, Descriptor], 3] = {}


class BuildHistoryRequest(Message, frozen=True):
    active_only: Annotated[bool, 1] = False
    ref: Annotated[str, 2] = ""
    early_exit: Annotated[bool, 3] = False
    """What is known now, and nothing of what comes."""
    filter: Annotated[tuple[str, ...], 4] = ()
    limit: Annotated[int, 5] = 0


class BuildHistoryRecord(Message, frozen=True):
    ref: Annotated[str, 1] = ""
    frontend: Annotated[str, 2] = ""
    frontend_attrs: Annotated[dict[str, str], 3] = {}
    exporters: Annotated[tuple[Exporter, ...], 4] = ()
    error: Annotated[RpcStatus | None, 5] = None
    created_at: Annotated[Timestamp | None, 6] = None
    completed_at: Annotated[Timestamp | None, 7] = None
    logs: Annotated[Descriptor | None, 8] = None
    exporter_response: Annotated[dict[str, str], 9] = {}
    result: Annotated[BuildResultInfo | None, 10] = None
    results: Annotated[dict[str, BuildResultInfo], 11] = {}
    generation: Annotated[int, 12] = 0
    trace: Annotated[Descriptor | None, 13] = None
    pinned: Annotated[bool, 14] = False
    cached_steps: Annotated[int, 15] = 0
    total_steps: Annotated[int, 16] = 0
    completed_steps: Annotated[int, 17] = 0
    external_error: Annotated[Descriptor | None, 18] = None
    warnings: Annotated[int, 19] = 0


class BuildHistoryEvent(Message, frozen=True):
    type: Annotated[int, 1] = 0
    """An :class:`EventType`."""
    record: Annotated[BuildHistoryRecord | None, 2] = None


class UpdateBuildHistoryRequest(Message, frozen=True):
    ref: Annotated[str, 1] = ""
    pinned: Annotated[bool, 2] = False
    delete: Annotated[bool, 3] = False
    finalize: Annotated[bool, 4] = False
