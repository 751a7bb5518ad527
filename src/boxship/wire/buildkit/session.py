"""What a client serves in its session: credentials, secrets, agents, uploads."""

from typing import Annotated

from boxship.wire.protobuf import Message

# Headers of POST /session.
SESSION_ID = "x-docker-expose-session-uuid"
SESSION_NAME = "x-docker-expose-session-name"
SHARED_KEY = "x-docker-expose-session-sharedkey"
METHODS = "x-docker-expose-session-grpc-method"
"""One header for each method that the client serves."""


class CredentialsRequest(Message, frozen=True):
    host: Annotated[str, 1] = ""


class CredentialsResponse(Message, frozen=True):
    username: Annotated[str, 1] = ""
    secret: Annotated[str, 2] = ""


class FetchTokenRequest(Message, frozen=True):
    client_id: Annotated[str, 1] = ""
    host: Annotated[str, 2] = ""
    realm: Annotated[str, 3] = ""
    service: Annotated[str, 4] = ""
    scopes: Annotated[tuple[str, ...], 5] = ()


class FetchTokenResponse(Message, frozen=True):
    token: Annotated[str, 1] = ""
    expires_in: Annotated[int, 2] = 0
    issued_at: Annotated[int, 3] = 0


class GetTokenAuthorityRequest(Message, frozen=True):
    host: Annotated[str, 1] = ""
    salt: Annotated[bytes, 2] = b""


class GetTokenAuthorityResponse(Message, frozen=True):
    public_key: Annotated[bytes, 1] = b""


class VerifyTokenAuthorityRequest(Message, frozen=True):
    host: Annotated[str, 1] = ""
    payload: Annotated[bytes, 2] = b""
    salt: Annotated[bytes, 3] = b""


class VerifyTokenAuthorityResponse(Message, frozen=True):
    signed: Annotated[bytes, 1] = b""


class GetSecretRequest(Message, frozen=True):
    id: Annotated[str, 1] = ""
    annotations: Annotated[dict[str, str], 2] = {}


class GetSecretResponse(Message, frozen=True):
    data: Annotated[bytes, 1] = b""


class CheckAgentRequest(Message, frozen=True):
    id: Annotated[str, 1] = ""


SSH_ID = "buildkit.ssh.id"
"""Metadata of a forwarded agent's call: which one."""
UPLOAD_PATH = "urlpath"
UPLOAD_HOST = "urlhost"
"""Metadata of an upload's call: path and host of the URL ``http://buildkit-session/…``."""
BUILD_ID = "buildkit-controlapi-buildid"
"""Metadata of the gateway's calls: ``ref`` of the Solve they belong to."""
