"""``moby.buildkit.v1.frontend`` (frontend/gateway/pb/gateway.proto): a client drives a build.

Containers (``NewContainer``, ``ExecProcess`` …) are left out.
"""

from typing import Annotated

from boxship.wire.buildkit.control import CacheOptionsEntry
from boxship.wire.buildkit.filesync import Stat
from boxship.wire.buildkit.solver import Definition, Platform, Range, SourceInfo, SourceOp
from boxship.wire.buildkit.wellknown import RpcStatus
from boxship.wire.buildkit.worker import APICap, WorkerRecord
from boxship.wire.protobuf import Message


class PingRequest(Message, frozen=True):
    pass


class PongResponse(Message, frozen=True):
    frontend_caps: Annotated[tuple[APICap, ...], 1] = ()
    llb_caps: Annotated[tuple[APICap, ...], 2] = ()
    workers: Annotated[tuple[WorkerRecord, ...], 3] = ()


class Ref(Message, frozen=True):
    """One result: a name for it, and the graph that makes it."""

    id: Annotated[str, 1] = ""
    definition: Annotated[Definition | None, 2] = None


class RefMap(Message, frozen=True):
    refs: Annotated[dict[str, Ref], 1] = {}


class RefMapDeprecated(Message, frozen=True):
    refs: Annotated[dict[str, str], 1] = {}


class Result(Message, frozen=True):
    """One of the first four: a result, or several by platform; as ids, or with their graphs."""

    ref_deprecated: Annotated[str, 1] = ""
    refs_deprecated: Annotated[RefMapDeprecated | None, 2] = None
    ref: Annotated[Ref | None, 3] = None
    refs: Annotated[RefMap | None, 4] = None
    metadata: Annotated[dict[str, bytes], 10] = {}


class SolveRequest(Message, frozen=True):
    definition: Annotated[Definition | None, 1] = None
    frontend: Annotated[str, 2] = ""
    frontend_opt: Annotated[dict[str, str], 3] = {}
    allow_result_return: Annotated[bool, 5] = False
    allow_result_array_ref: Annotated[bool, 6] = False
    final: Annotated[bool, 10] = False
    exporter_attr: Annotated[bytes, 11] = b""
    cache_imports: Annotated[tuple[CacheOptionsEntry, ...], 12] = ()
    frontend_inputs: Annotated[dict[str, Definition], 13] = {}
    evaluate: Annotated[bool, 14] = False


class SolveResponse(Message, frozen=True):
    ref: Annotated[str, 1] = ""
    """For clients that did not allow a ``result``."""
    result: Annotated[Result | None, 3] = None


class ReturnRequest(Message, frozen=True):
    result: Annotated[Result | None, 1] = None
    error: Annotated[RpcStatus | None, 2] = None


class InputsRequest(Message, frozen=True):
    pass


class InputsResponse(Message, frozen=True):
    definitions: Annotated[dict[str, Definition], 1] = {}


class ResolveImageConfigRequest(Message, frozen=True):
    ref: Annotated[str, 1] = ""
    platform: Annotated[Platform | None, 2] = None
    resolve_mode: Annotated[str, 3] = ""
    log_name: Annotated[str, 4] = ""
    resolver_type: Annotated[int, 5] = 0
    session_id: Annotated[str, 6] = ""
    store_id: Annotated[str, 7] = ""


class ResolveImageConfigResponse(Message, frozen=True):
    digest: Annotated[str, 1] = ""
    config: Annotated[bytes, 2] = b""
    ref: Annotated[str, 3] = ""


class ResolveSourceMetaRequest(Message, frozen=True):
    source: Annotated[SourceOp | None, 1] = None
    platform: Annotated[Platform | None, 2] = None
    log_name: Annotated[str, 3] = ""
    resolve_mode: Annotated[str, 4] = ""


class ResolveSourceImageResponse(Message, frozen=True):
    digest: Annotated[str, 1] = ""
    config: Annotated[bytes, 2] = b""


class ResolveSourceMetaResponse(Message, frozen=True):
    source: Annotated[SourceOp | None, 1] = None
    image: Annotated[ResolveSourceImageResponse | None, 2] = None


class FileRange(Message, frozen=True):
    offset: Annotated[int, 1] = 0
    length: Annotated[int, 2] = 0


class ReadFileRequest(Message, frozen=True):
    ref: Annotated[str, 1] = ""
    path: Annotated[str, 2] = ""
    range: Annotated[FileRange | None, 3] = None


class ReadFileResponse(Message, frozen=True):
    data: Annotated[bytes, 1] = b""


class ReadDirRequest(Message, frozen=True):
    ref: Annotated[str, 1] = ""
    path: Annotated[str, 2] = ""
    include_pattern: Annotated[str, 3] = ""


class ReadDirResponse(Message, frozen=True):
    entries: Annotated[tuple[Stat, ...], 1] = ()


class StatFileRequest(Message, frozen=True):
    ref: Annotated[str, 1] = ""
    path: Annotated[str, 2] = ""


class StatFileResponse(Message, frozen=True):
    stat: Annotated[Stat | None, 1] = None


class EvaluateRequest(Message, frozen=True):
    ref: Annotated[str, 1] = ""


class WarnRequest(Message, frozen=True):
    digest: Annotated[str, 1] = ""
    level: Annotated[int, 2] = 0
    short: Annotated[bytes, 3] = b""
    detail: Annotated[tuple[bytes, ...], 4] = ()
    url: Annotated[str, 5] = ""
    info: Annotated[SourceInfo | None, 6] = None
    ranges: Annotated[tuple[Range, ...], 7] = ()
