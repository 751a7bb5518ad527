"""What keeps an answer from coming, as our errors. With ``connections.py`` it knows urllib3."""

import http.client
import ssl
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    MaxRetryError,
    NameResolutionError,
    NewConnectionError,
    ProxyError,
    ReadTimeoutError,
    SSLError,
)

from boxship.distribution import tls
from boxship.distribution.connections import UndialledError
from boxship.distribution.errors import (
    CertificateProblemError,
    RegistryError,
    RegistryUnavailableError,
    RegistryUnreachableError,
)

if TYPE_CHECKING:
    from boxship.distribution.transport import Request

FAILURES = (HTTPError, OSError, http.client.HTTPException)


def translated(error: Exception, request: "Request", url: str) -> RegistryError:
    """Say what happened in the words Go programs use: people search for them."""
    what = f'{request.method.capitalize()} "{url}"'
    parts = urlsplit(request.url)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    if isinstance(error, MaxRetryError | ProxyError) and isinstance(error.args[-1], Exception):
        error = error.args[-1]
    cause = error.args[0] if isinstance(error, SSLError) and error.args else error
    if isinstance(cause, ssl.SSLError) and not isinstance(cause, ssl.SSLEOFError):
        return CertificateProblemError(f"{what}: {tls.explain(cause, host, port, request.tls)}")
    if isinstance(error, NameResolutionError):
        return RegistryUnreachableError(f"{what}: dial tcp: lookup {host}: no such host")
    if isinstance(error, NewConnectionError):
        reason = str(error.args[-1]).rpartition(": ")[2].lower()
        tried = error.address if isinstance(error, UndialledError) else f"{host}:{port}"
        return RegistryUnreachableError(f"{what}: dial tcp {tried}: connect: {reason}")
    if isinstance(error, ConnectTimeoutError):
        return RegistryUnreachableError(f"{what}: dial tcp {host}:{port}: i/o timeout")
    if isinstance(error, ReadTimeoutError | TimeoutError):
        return RegistryUnavailableError(f"{what}: no answer in time")
    return RegistryUnavailableError(f"{what}: the connection broke: {_shortly(error)}")


def _shortly(error: Exception) -> str:
    inner = error.args[-1] if error.args and isinstance(error.args[-1], Exception) else error
    return str(inner) or type(inner).__name__
