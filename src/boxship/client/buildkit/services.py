"""The small services of a session: logins, secrets, agents, uploads."""

import socket
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress

from boxship.base.errors import NotFoundError
from boxship.client.buildkit.link import Call, Serve
from boxship.wire.buildkit import methods
from boxship.wire.buildkit.session import (
    SSH_ID,
    UPLOAD_PATH,
    CheckAgentRequest,
    CredentialsRequest,
    CredentialsResponse,
    GetSecretRequest,
    GetSecretResponse,
)
from boxship.wire.buildkit.wellknown import BytesMessage, Empty
from boxship.wire.grpc.status import GrpcError
from boxship.wire.protobuf import decode, encode

_PIECE = 32 * 1024
_UPLOAD_PIECE = 512 * 1024

Credentials = Callable[[str], tuple[str, str]]
"""From a registry's host to name and password; of an identity token the name is empty."""


def auth(credentials: Credentials) -> dict[str, Serve]:
    def serve(call: Call) -> None:
        asked = decode(call.receive() or b"", CredentialsRequest)
        username, secret = credentials(asked.host)
        call.send(encode(CredentialsResponse(username=username, secret=secret)))

    return {methods.CREDENTIALS.path: serve}


def secrets(find: Callable[[str], bytes]) -> dict[str, Serve]:
    """``find`` raises NotFoundError for a name that nobody gave."""

    def serve(call: Call) -> None:
        asked = decode(call.receive() or b"", GetSecretRequest)
        call.send(encode(GetSecretResponse(data=find(asked.id))))

    return {methods.GET_SECRET.path: serve}


def agents(sockets: Mapping[str, str]) -> dict[str, Serve]:
    """Forward agents; ``sockets`` has their paths by the ids of the build."""

    def path_of(identifier: str) -> str:
        path = sockets.get(identifier or "default")
        if path is None:
            raise NotFoundError(f"unset ssh forward key {identifier or 'default'}")
        return path

    def check(call: Call) -> None:
        path_of(decode(call.receive() or b"", CheckAgentRequest).id)
        call.send(encode(Empty()))

    def forward(call: Call) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as agent:
            agent.connect(path_of(call.metadata.first(SSH_ID)))
            sender = threading.Thread(target=_to_agent, args=(call, agent), daemon=True)
            sender.start()
            with suppress(GrpcError):
                while data := agent.recv(_PIECE):
                    call.send(encode(BytesMessage(data)))
            with suppress(OSError):
                agent.shutdown(socket.SHUT_RDWR)

    return {methods.CHECK_AGENT.path: check, methods.FORWARD_AGENT.path: forward}


def _to_agent(call: Call, agent: socket.socket) -> None:
    with suppress(OSError):
        with suppress(GrpcError):
            while (message := call.receive()) is not None:
                agent.sendall(decode(message, BytesMessage).data)
        agent.shutdown(socket.SHUT_RDWR if call.is_over else socket.SHUT_WR)


def upload(streams: Mapping[str, Iterable[bytes]]) -> dict[str, Serve]:
    """Give each stream once, to who asks for its path."""
    left = dict(streams)

    def serve(call: Call) -> None:
        path = call.metadata.first(UPLOAD_PATH)
        pieces = left.pop(path, None)
        if pieces is None:
            raise NotFoundError(f"no upload for {path}")
        for piece in pieces:
            for at in range(0, len(piece), _UPLOAD_PIECE):
                call.send(encode(BytesMessage(piece[at : at + _UPLOAD_PIECE])))

    return {methods.UPLOAD.path: serve}
