"""A client's ssh agent, reached through its session."""

from collections.abc import Mapping

from boxship.api.grpc.client import Client, ClientCall
from boxship.api.grpc.driver import read
from boxship.wire.buildkit.methods import FORWARD_AGENT
from boxship.wire.buildkit.session import SSH_ID
from boxship.wire.buildkit.wellknown import BytesMessage
from boxship.wire.grpc.status import GrpcError
from boxship.wire.protobuf import encode


class AgentConnection:
    """A connection to the agent: bytes both ways."""

    def __init__(self, call: ClientCall) -> None:
        self._call = call

    async def read(self) -> bytes:
        """Return what came; empty at the end, whatever ended it."""
        while True:
            try:
                message = await self._call.receive()
            except GrpcError:
                return b""
            if message is None:
                return b""
            if data := read(message, BytesMessage).data:
                return data

    async def write(self, data: bytes) -> None:
        await self._call.send(encode(BytesMessage(data)))

    async def close(self) -> None:
        self._call.cancel()


class Agent:
    """An agent that the client forwards."""

    def __init__(self, client: Client, identifier: str) -> None:
        self._client = client
        self._metadata: Mapping[str, tuple[str, ...]] = {SSH_ID: (identifier,)}

    async def connect(self) -> AgentConnection:
        """Open a connection; the step's socket has a new one for each of its own."""
        return AgentConnection(self._client.call(FORWARD_AGENT, self._metadata))
