"""From a request to an HTTP/2 connection: ``Upgrade: h2c`` on a connection that then is ours."""

import asyncio
import socket

from boxship.api.call import Call
from boxship.api.headers import COMMON_LINES
from boxship.base.errors import InvalidArgumentError

PROTOCOL = "h2c"
_HEADER = (
    f"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: {PROTOCOL}\r\n{COMMON_LINES}\r\n"
).encode("ascii")


def check_upgrade(call: Call) -> None:
    """Refuse a request that doesn't ask for HTTP/2."""
    wanted = call.request.headers.get("upgrade", "")
    if not wanted:
        raise InvalidArgumentError("no upgrade: this takes a connection with 'Upgrade: h2c'")
    if wanted.lower() != PROTOCOL:
        raise InvalidArgumentError(f"the protocol {wanted!r} is not known here, only h2c is")
    if not call.request.body.complete:
        raise InvalidArgumentError("the request's body must end before HTTP/2 begins")


async def upgrade(call: Call, protocol: asyncio.Protocol) -> None:
    """Answer 101 and give what follows to ``protocol``."""
    fd, prefix = await call.request.connection.detach(_HEADER)
    connection = socket.socket(fileno=fd)
    connection.setblocking(False)
    loop = asyncio.get_running_loop()
    try:
        await loop.connect_accepted_socket(lambda: protocol, connection)
    except BaseException:
        connection.close()
        raise
    if prefix:
        protocol.data_received(prefix)
