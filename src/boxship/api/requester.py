"""Who is on the other end of a request's connection."""

import re
import socket
import struct

from boxship.api.http.messages import Request
from boxship.model.requester import Requester

_CREDENTIALS = struct.Struct("3i")
"""``struct ucred`` of unix(7): pid, uid, gid."""
_WORDS = 2
_INTERPRETERS = re.compile(r"(python|pypy|perl|ruby|node|sh|bash|dash)[\d.]*$")
_LONGEST = 200


def requester_of(request: Request) -> Requester:
    """Ask the kernel who connected; what can't be known stays empty."""
    agent = request.headers.get("user-agent", "")[:_LONGEST]
    sock = request.connection.client_socket
    if sock is None:
        return Requester(agent=agent)
    if sock.family == socket.AF_UNIX:
        found = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        pid, uid, _ = _CREDENTIALS.unpack(found)
        return Requester(pid=pid, uid=uid, command=_command(pid), agent=agent)
    try:
        host, port = sock.getpeername()[:2]
    except OSError:  # it has hung up
        return Requester(agent=agent)
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    return Requester(address=address, agent=agent)


def _command(pid: int) -> str:
    """Return the name of a process's program and its first word; no more: those may be secrets.

    Of an interpreter's process the program is the script.
    """
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            words = file.read(4096).split(b"\0")
    except OSError:
        return ""
    program, *rest = (word.decode(errors="replace") for word in words[: _WORDS + 1])
    if _INTERPRETERS.match(_name(program)) and rest and rest[0][:1] not in ("-", ""):
        program, *rest = rest
    first = [word for word in rest[: _WORDS - 1] if word[:1] != "-"]
    return " ".join([_name(program), *first]).strip()[:_LONGEST]


def _name(path: str) -> str:
    return path.rpartition("/")[2]
