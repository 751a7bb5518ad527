"""TLS over a connected socket, with Docker's three PEM files."""

import os
import socket
import ssl

from boxship.base.errors import InvalidArgumentError
from boxship.client.endpoint import TlsFiles


def wrap(connection: socket.socket, files: TlsFiles, host: str) -> socket.socket:
    """The handshake; the client certificate is sent when its files exist."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if files.verify:
        if not os.path.exists(files.ca):
            raise InvalidArgumentError(
                f"there is no CA certificate at {files.ca} to verify the daemon with; "
                "set DOCKER_CERT_PATH or --tlscacert"
            )
        context.load_verify_locations(files.ca)
    else:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if os.path.exists(files.cert) and os.path.exists(files.key):
        context.load_cert_chain(files.cert, files.key)
    return context.wrap_socket(connection, server_hostname=host)


def close_write(connection: socket.socket) -> None:
    """Send close_notify and go on reading.

    ``unwrap`` sends it and then waits for the peer's, which comes only behind the last output.
    On a non-blocking socket it gives up after sending; OpenSSL still reads what follows.
    """
    if not isinstance(connection, ssl.SSLSocket):
        raise TypeError("not a TLS connection")
    connection.setblocking(False)
    try:
        connection.unwrap()
    except ssl.SSLError:
        pass
    finally:
        connection.setblocking(True)
