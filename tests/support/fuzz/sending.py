"""Sending a request, and what of its answer can be had without waiting for the end of time."""

import http.client
import socket
from dataclasses import dataclass
from pathlib import Path

from support.fuzz.forging import Forged

PATIENCE = 60.0
_STREAMS = {"ContainerAttach", "ContainerAttachWebsocket", "ContainerLogs", "ContainerStats"}
_STREAMS |= {"ContainerWait", "ExecStart", "SystemEvents"}
_GLANCE = 0.02


@dataclass(frozen=True)
class Answer:
    """``whole``: it was read to its end."""

    status: int
    media: str
    body: bytes
    whole: bool = True


class HangError(AssertionError):
    """No answer came."""


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=PATIENCE)
        self._path = str(path)

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def send(path: Path, request: Forged) -> Answer:
    """Send a request on a connection of its own.

    HangError: it was not answered in time. HTTPException: the answer was cut off.
    """
    connection = _Connection(path)
    try:
        connection.putrequest(request.method, _sendable(request.target), skip_accept_encoding=True)
        for name, value in request.headers.items():
            connection.putheader(name, value)
        connection.putheader("Content-Length", str(len(request.body)))
        connection.endheaders(request.body)
        return _read(connection, request)
    except TimeoutError as error:
        raise HangError(f"no answer within {PATIENCE:.0f} s") from error
    finally:
        connection.close()


def _read(connection: _Connection, request: Forged) -> Answer:
    response = connection.getresponse()
    media = response.getheader("Content-Type", "")
    if response.status >= 300 or request.operation.name not in _STREAMS:
        return Answer(response.status, media, response.read())
    # It lasts as long as somebody wants it to, so this client leaves in the middle.
    if connection.sock is not None:
        connection.sock.settimeout(_GLANCE)
    try:
        body = response.read(4096)
    except (TimeoutError, ValueError):
        body = b""
    finally:
        response.close()
    return Answer(response.status, media, body, whole=False)


def _sendable(target: str) -> str:
    return "".join(c if " " < c < "\x7f" else f"%{ord(c) & 0xFF:02X}" for c in target)
