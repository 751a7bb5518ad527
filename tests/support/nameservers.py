"""Name servers that behave as a test says, and questions asked from a network namespace."""

import select
import socket
import struct
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdatatype
import dns.rrset

from boxship.net.namespaces import NetworkNamespace, run_inside

ADDRESS = "127.0.0.11"

Behaviour = Callable[[bytes, "socket.socket", "tuple[str, int]"], bytes | None]
"""Gets a question, the socket it came to and where from; returns the answer, or None for none."""


class NameServer:
    """A server on a free port of 127.0.0.1, UDP and TCP, in the given namespace or in ours."""

    def __init__(
        self, behaviour: Behaviour | None = None, namespace: NetworkNamespace | None = None
    ) -> None:
        self.behaviour = behaviour or answering("192.0.2.7")
        self.asked: list[bytes] = []
        if namespace is None:
            self._bind()
        else:
            run_inside(namespace, self._bind)
        self._stop, self._stopped = socket.socketpair()
        self._thread = threading.Thread(target=self._serve, name="nameserver")

    def _bind(self) -> None:
        self._tcp = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._tcp.getsockname()[1]
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.bind(("127.0.0.1", self.port))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.close()
        self._thread.join()
        for one in (self._tcp, self._udp, self._stopped):
            one.close()

    def _serve(self) -> None:
        while True:
            ready, _, _ = select.select([self._udp, self._tcp, self._stopped], [], [])
            if self._stopped in ready:
                return
            if self._udp in ready:
                data, sender = self._udp.recvfrom(65535)
                answer = self._answer(data, self._udp, sender)
                if answer is not None:
                    self._udp.sendto(answer, sender)
            if self._tcp in ready:
                connection, sender = self._tcp.accept()
                with connection:
                    self._serve_stream(connection, sender)

    def _serve_stream(self, connection: socket.socket, sender: tuple[str, int]) -> None:
        connection.settimeout(2)
        (length,) = struct.unpack("!H", connection.recv(2, socket.MSG_WAITALL))
        answer = self._answer(connection.recv(length, socket.MSG_WAITALL), connection, sender)
        if answer is not None:
            connection.sendall(struct.pack("!H", len(answer)) + answer)

    def _answer(self, data: bytes, there: socket.socket, sender: tuple[str, int]) -> bytes | None:
        self.asked.append(data)
        return self.behaviour(data, there, sender)


def response(query: bytes, *addresses: str, code: int = 0) -> bytes:
    """A proper answer."""
    asked = dns.message.from_wire(query)
    answer = dns.message.make_response(asked, recursion_available=True)
    answer.set_rcode(dns.rcode.from_text(dns.rcode.to_text(dns.rcode.Rcode(code))))
    if addresses:
        answer.answer = [dns.rrset.from_text(asked.question[0].name, 60, "IN", "A", *addresses)]
    return answer.to_wire()


def answering(*addresses: str, code: int = 0) -> Behaviour:
    """Answer everything with these addresses."""
    return lambda query, *_: response(query, *addresses, code=code)


def silent(_query: bytes, _socket: socket.socket, _sender: tuple[str, int]) -> None:
    """Answer nothing."""


def ask(
    namespace: NetworkNamespace,
    name: str,
    kind: str = "A",
    *,
    tcp: bool = False,
    timeout: float = 3.0,
    payload: int | None = None,
) -> dns.message.Message:
    """Ask 127.0.0.11 from a namespace."""
    message = dns.message.make_query(name, kind, payload=payload)
    by = dns.query.tcp if tcp else dns.query.udp
    return run_inside(namespace, lambda: by(message, ADDRESS, timeout=timeout))


def addresses(answer: dns.message.Message) -> list[str]:
    """The addresses, or names, of an answer."""
    return [item.to_text() for rrset in answer.answer for item in rrset]
