"""All calls of BuildKit that are made or answered here: path, shapes, and who streams."""

from dataclasses import dataclass
from typing import Generic, TypeVar

from boxship.wire.buildkit import content, control, filesync, gateway, history, session
from boxship.wire.buildkit.wellknown import BytesMessage, Empty
from boxship.wire.protobuf import Message

Q = TypeVar("Q", bound=Message)
A = TypeVar("A", bound=Message)


@dataclass(frozen=True, slots=True)
class Method(Generic[Q, A]):
    """A call: ``path`` is ``/package.Service/Method``."""

    path: str
    request: type[Q]
    answer: type[A]
    streams_requests: bool = False
    streams_answers: bool = False


_CONTROL = "/moby.buildkit.v1.Control/"
SOLVE = Method(_CONTROL + "Solve", control.SolveRequest, control.SolveResponse)
STATUS = Method(
    _CONTROL + "Status", control.StatusRequest, control.StatusResponse, streams_answers=True
)
DISK_USAGE = Method(_CONTROL + "DiskUsage", control.DiskUsageRequest, control.DiskUsageResponse)
PRUNE = Method(_CONTROL + "Prune", control.PruneRequest, control.UsageRecord, streams_answers=True)
LIST_WORKERS = Method(
    _CONTROL + "ListWorkers", control.ListWorkersRequest, control.ListWorkersResponse
)
INFO = Method(_CONTROL + "Info", control.InfoRequest, control.InfoResponse)
SESSION = Method(_CONTROL + "Session", BytesMessage, BytesMessage, True, True)
LISTEN_BUILD_HISTORY = Method(
    _CONTROL + "ListenBuildHistory",
    history.BuildHistoryRequest,
    history.BuildHistoryEvent,
    streams_answers=True,
)
UPDATE_BUILD_HISTORY = Method(
    _CONTROL + "UpdateBuildHistory", history.UpdateBuildHistoryRequest, Empty
)

_GATEWAY = "/moby.buildkit.v1.frontend.LLBBridge/"
GATEWAY_PING = Method(_GATEWAY + "Ping", gateway.PingRequest, gateway.PongResponse)
GATEWAY_SOLVE = Method(_GATEWAY + "Solve", gateway.SolveRequest, gateway.SolveResponse)
GATEWAY_RETURN = Method(_GATEWAY + "Return", gateway.ReturnRequest, Empty)
GATEWAY_INPUTS = Method(_GATEWAY + "Inputs", gateway.InputsRequest, gateway.InputsResponse)
GATEWAY_READ_FILE = Method(_GATEWAY + "ReadFile", gateway.ReadFileRequest, gateway.ReadFileResponse)
GATEWAY_READ_DIR = Method(_GATEWAY + "ReadDir", gateway.ReadDirRequest, gateway.ReadDirResponse)
GATEWAY_STAT_FILE = Method(_GATEWAY + "StatFile", gateway.StatFileRequest, gateway.StatFileResponse)
GATEWAY_EVALUATE = Method(_GATEWAY + "Evaluate", gateway.EvaluateRequest, Empty)
GATEWAY_WARN = Method(_GATEWAY + "Warn", gateway.WarnRequest, Empty)
GATEWAY_RESOLVE_IMAGE_CONFIG = Method(
    _GATEWAY + "ResolveImageConfig",
    gateway.ResolveImageConfigRequest,
    gateway.ResolveImageConfigResponse,
)
GATEWAY_RESOLVE_SOURCE_META = Method(
    _GATEWAY + "ResolveSourceMeta",
    gateway.ResolveSourceMetaRequest,
    gateway.ResolveSourceMetaResponse,
)

# Served by clients, over POST /session.
FILE_SYNC = Method(
    "/moby.filesync.v1.FileSync/DiffCopy", filesync.Packet, filesync.Packet, True, True
)
FILE_SEND = Method("/moby.filesync.v1.FileSend/DiffCopy", BytesMessage, BytesMessage, True, True)
FILE_SEND_DIRECTORY = Method(
    "/moby.filesync.v1.FileSend/DiffCopy", filesync.Packet, filesync.Packet, True, True
)
"""The same call, when the client's output is a directory."""
_AUTH = "/moby.filesync.v1.Auth/"
CREDENTIALS = Method(_AUTH + "Credentials", session.CredentialsRequest, session.CredentialsResponse)
FETCH_TOKEN = Method(_AUTH + "FetchToken", session.FetchTokenRequest, session.FetchTokenResponse)
GET_TOKEN_AUTHORITY = Method(
    _AUTH + "GetTokenAuthority",
    session.GetTokenAuthorityRequest,
    session.GetTokenAuthorityResponse,
)
VERIFY_TOKEN_AUTHORITY = Method(
    _AUTH + "VerifyTokenAuthority",
    session.VerifyTokenAuthorityRequest,
    session.VerifyTokenAuthorityResponse,
)
GET_SECRET = Method(
    "/moby.buildkit.secrets.v1.Secrets/GetSecret",
    session.GetSecretRequest,
    session.GetSecretResponse,
)
CHECK_AGENT = Method("/moby.sshforward.v1.SSH/CheckAgent", session.CheckAgentRequest, Empty)
FORWARD_AGENT = Method(
    "/moby.sshforward.v1.SSH/ForwardAgent", BytesMessage, BytesMessage, True, True
)
UPLOAD = Method("/moby.upload.v1.Upload/Pull", BytesMessage, BytesMessage, True, True)
_CONTENT = "/containerd.services.content.v1.Content/"
CONTENT_INFO = Method(_CONTENT + "Info", content.InfoRequest, content.InfoResponse)
CONTENT_READ = Method(
    _CONTENT + "Read", content.ReadRequest, content.ReadResponse, streams_answers=True
)
CONTENT_WRITE = Method(_CONTENT + "Write", content.WriteRequest, content.WriteResponse, True, True)
HEALTH_CHECK = Method("/grpc.health.v1.Health/Check", Empty, Empty)
