"""Probe by a connection from the container's own network; nothing need be in its image.

Only the socket is made within the network namespace, by a thread: a socket belongs for ever to the
namespace it was made in. Everything that waits is the event loop's, so that no slow peer keeps a
thread.
"""

import asyncio
import os
import socket

from boxship.engine.containers.health import grpcprobe
from boxship.engine.containers.health.settings import Native, NativeProbe, Target
from boxship.net.namespaces import NetworkNamespace, run_inside

_HEAD = 4096
_FAILED = 1
_AGENT = "boxship-health"


async def run(pid: int, probe: NativeProbe) -> tuple[int, str]:
    """Probe in the network of process ``pid``; return 0 or 1, and what was seen.

    OSError: there is no such process.
    """
    loop = asyncio.get_running_loop()
    connection = await asyncio.to_thread(_socket_of, pid, probe.target)
    with connection:
        try:
            await loop.sock_connect(connection, (str(probe.target.address), probe.target.port))
        except OSError as error:
            return _FAILED, f"{probe.target.authority}: {os.strerror(error.errno or 0)}"
        try:
            return await _PROBES[probe.kind](connection, probe.target)
        except OSError as error:
            return _FAILED, f"{probe.target.authority}: {error}"


def _socket_of(pid: int, target: Target) -> socket.socket:
    family = socket.AF_INET6 if target.address.version == 6 else socket.AF_INET
    kind = socket.SOCK_STREAM | socket.SOCK_NONBLOCK
    with NetworkNamespace.of_process(pid) as namespace:
        return run_inside(namespace, lambda: socket.socket(family, kind))


async def _tcp(_: socket.socket, target: Target) -> tuple[int, str]:
    return 0, f"{target.authority}: connected"


async def _http(connection: socket.socket, target: Target) -> tuple[int, str]:
    """RFC 9112; the first line of the answer says it all."""
    loop = asyncio.get_running_loop()
    request = (
        f"GET {target.path or '/'} HTTP/1.1\r\nHost: {target.authority}\r\n"
        f"User-Agent: {_AGENT}\r\nAccept: */*\r\nConnection: close\r\n\r\n"
    )
    await loop.sock_sendall(connection, request.encode())
    head = b""
    while b"\n" not in head and len(head) < _HEAD:
        data = await loop.sock_recv(connection, _HEAD)
        if not data:
            break
        head += data
    line = head.partition(b"\n")[0].strip().decode("latin-1")
    words = line.split(maxsplit=2)
    if len(words) < 2 or not words[0].startswith("HTTP/") or not words[1].isdigit():
        return _FAILED, f"{target.authority}: no HTTP answer"
    return (0 if 200 <= int(words[1]) < 400 else _FAILED), line


async def _grpc(connection: socket.socket, target: Target) -> tuple[int, str]:
    loop = asyncio.get_running_loop()
    service = target.path.removeprefix("/")
    await loop.sock_sendall(connection, grpcprobe.request(target.authority, service))
    answer = grpcprobe.Answer()
    while not answer.ended:
        data = await loop.sock_recv(connection, _HEAD)
        if not data:
            break
        if reply := answer.feed(data):
            await loop.sock_sendall(connection, reply)
    return (0 if answer.status == "SERVING" else _FAILED), answer.status


_PROBES = {Native.TCP: _tcp, Native.HTTP: _http, Native.GRPC: _grpc}
