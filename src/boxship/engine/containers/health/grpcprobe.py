"""As much of HTTP/2 as one unary call of ``grpc.health.v1.Health/Check`` needs; bytes only.

Frames are RFC 9113 section 4.1, header fields literals without indexing of RFC 7541 section 6.2.2,
the message is length-prefixed as gRPC's. Of the answer only the data are read: what its headers
would say beyond is that the call has failed, which missing data say as well.
"""

import struct

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _RESET, _SETTINGS, _PING, _GOAWAY = 0, 1, 3, 4, 6, 7
_END_STREAM, _ACK, _END_HEADERS = 0x1, 0x1, 0x4
_PADDED = 0x8
_STREAM = 1
_FRAME_HEAD = 9
_LONGEST_FRAME = 1 << 14
_PATH = "/grpc.health.v1.Health/Check"
_STATUSES = ("UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN")
_NO_ANSWER = "no answer of a gRPC health service"


def request(authority: str, service: str) -> bytes:
    """Return everything the client says: preface, settings, the call's headers and its message."""
    headers = b"".join(
        b"\0" + _text(name) + _text(value)
        for name, value in (
            (":method", "POST"),
            (":scheme", "http"),
            (":path", _PATH),
            (":authority", authority),
            ("content-type", "application/grpc"),
            ("te", "trailers"),  # codespell:ignore te
        )
    )
    name = service.encode()
    message = b"\x0a" + _varint(len(name)) + name if name else b""
    data = b"\0" + struct.pack(">I", len(message)) + message
    return (
        _PREFACE
        + _frame(_SETTINGS, 0, 0, b"")
        + _frame(_HEADERS, _END_HEADERS, _STREAM, headers)
        + _frame(_DATA, _END_STREAM, _STREAM, data)
    )


class Answer:
    """The server's side of the call, fed with what comes."""

    def __init__(self) -> None:
        self.ended = False
        self._buffer = b""
        self._message = b""

    def feed(self, data: bytes) -> bytes:
        """Take in bytes; return what has to be said in reply."""
        self._buffer += data
        reply = b""
        while not self.ended and len(self._buffer) >= _FRAME_HEAD:
            length = int.from_bytes(self._buffer[:3], "big")
            kind, flags = self._buffer[3], self._buffer[4]
            stream = int.from_bytes(self._buffer[5:9], "big") & 0x7FFFFFFF
            if length > _LONGEST_FRAME:  # never allowed by us: it is not HTTP/2
                self.ended = True
                break
            if len(self._buffer) < _FRAME_HEAD + length:
                break
            body = self._buffer[_FRAME_HEAD : _FRAME_HEAD + length]
            self._buffer = self._buffer[_FRAME_HEAD + length :]
            reply += self._take(kind, flags, stream, body)
        return reply

    @property
    def status(self) -> str:
        """``SERVING``, another of its statuses, or what is wrong."""
        if len(self._message) < 5 or self._message[0] != 0:
            return _NO_ANSWER
        body = self._message[5 : 5 + int.from_bytes(self._message[1:5], "big")]
        if not body:
            return _STATUSES[0]
        if len(body) != 2 or body[0] != 0x08 or body[1] >= len(_STATUSES):
            return _NO_ANSWER
        return _STATUSES[body[1]]

    def _take(self, kind: int, flags: int, stream: int, body: bytes) -> bytes:
        if kind == _SETTINGS and not flags & _ACK:
            return _frame(_SETTINGS, _ACK, 0, b"")
        if kind == _PING and not flags & _ACK:
            return _frame(_PING, _ACK, 0, body)
        if kind == _GOAWAY or (kind == _RESET and stream == _STREAM):
            self.ended = True
        elif kind in (_DATA, _HEADERS) and stream == _STREAM:
            if kind == _DATA:
                self._message += _unpadded(body) if flags & _PADDED else body
            self.ended = bool(flags & _END_STREAM)
        return b""


def _frame(kind: int, flags: int, stream: int, body: bytes) -> bytes:
    return len(body).to_bytes(3, "big") + struct.pack(">BBI", kind, flags, stream) + body


def _unpadded(body: bytes) -> bytes:
    return body[1 : len(body) - body[0]] if body else b""


def _text(value: str) -> bytes:
    """A string literal of HPACK (RFC 7541 section 5.2), not Huffman-coded."""
    data = value.encode()
    if len(data) < 127:
        return bytes([len(data)]) + data
    return b"\x7f" + _varint(len(data) - 127) + data


def _varint(number: int) -> bytes:
    out = b""
    while number > 127:
        out += bytes([number & 0x7F | 0x80])
        number >>= 7
    return out + bytes([number])
