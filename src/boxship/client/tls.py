"""TLS over a connected socket, with Docker's three PEM files.

The encryption works on buffers in memory and the socket stays plain. ``SSLSocket`` would not do:
its ``unwrap`` reads from the socket right after it has sent our close_notify, and when output of
the container is there already, OpenSSL throws it away ("application data after close notify").
Here our close_notify goes out while nothing comes in.

::

    send ──► SSLObject ──► outgoing ──► _unsent ──► socket
    receive ◄── SSLObject ◄── incoming ◄─────────── socket
"""

import os
import socket
import ssl
from contextlib import suppress

from boxship.base.errors import InvalidArgumentError
from boxship.client.endpoint import TlsFiles
from boxship.client.transport import RECEIVE

_RECORD = 16 * 1024


def _context(files: TlsFiles) -> ssl.SSLContext:
    """The client certificate is sent when its files exist."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if files.verify:
        if not files.ca:  # a context without: whoever this machine trusts
            context.load_default_certs()
        elif not os.path.exists(files.ca):
            raise InvalidArgumentError(
                f"there is no CA certificate at {files.ca} to verify the daemon with; "
                "set DOCKER_CERT_PATH or --tlscacert"
            )
        else:
            context.load_verify_locations(files.ca)
    else:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if os.path.exists(files.cert) and os.path.exists(files.key):
        context.load_cert_chain(files.cert, files.key)
    return context


class TlsConnection:
    """A ``Connection`` after its handshake; the socket belongs to it once that has succeeded."""

    def __init__(self, connected: socket.socket, files: TlsFiles, host: str) -> None:
        self._socket = connected
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._unsent = b""
        self._tls = _context(files).wrap_bio(self._incoming, self._outgoing, server_hostname=host)
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                self._flush()
                if not self._fetch():
                    raise ConnectionResetError("closed within the TLS handshake") from None
            except ssl.SSLError:
                self._flush()  # the alert that tells the daemon why
                raise
            else:
                break
        self._flush()

    def receive(self) -> bytes:
        while True:
            try:
                return self._tls.read(RECEIVE)
            except ssl.SSLWantReadError:
                self._flush()
                if not self._fetch():
                    return b""
            except ssl.SSLZeroReturnError:
                return b""

    def _fetch(self) -> bool:
        data = self._socket.recv(RECEIVE)
        self._incoming.write(data)
        return bool(data)

    def _flush(self) -> None:
        data = self._unsent + self._outgoing.read()
        self._unsent = b""
        self._socket.sendall(data)

    def send(self, data: bytes) -> None:
        self._tls.write(data)
        self._flush()

    def send_some(self, data: bytes) -> int:
        taken = 0
        if not self._unsent and data:
            taken = self._tls.write(data[:_RECORD])
            self._unsent = self._outgoing.read()
        with suppress(BlockingIOError):
            sent = self._socket.send(self._unsent, socket.MSG_DONTWAIT)
            self._unsent = self._unsent[sent:]
        return taken

    def close_write(self) -> None:
        with suppress(ssl.SSLWantReadError):  # the peer's own close_notify comes last
            self._tls.unwrap()
        self._flush()

    @property
    def has_input(self) -> bool:
        return bool(self._tls.pending() or self._incoming.pending)

    @property
    def has_output(self) -> bool:
        return bool(self._unsent)

    def is_stale(self) -> bool:
        try:
            waiting = self._socket.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        except OSError:
            return True
        return not waiting  # a TLS 1.3 server sends session tickets unasked

    def fileno(self) -> int:
        return self._socket.fileno()

    def close(self) -> None:
        self._socket.close()
