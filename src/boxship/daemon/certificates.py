"""The server's side of TLS: its certificate, and whose clients are let in.

The files are read again with the configuration (SIGHUP), so that a certificate can be renewed, or
another authority trusted, while connections go on. A connection keeps what it began with.
"""

import logging
import os
import ssl
from collections.abc import Callable

from boxship.api.http.entrance import Tokens
from boxship.base.errors import InvalidArgumentError
from boxship.daemon.config import DaemonConfig, TlsConfig
from boxship.daemon.listeners import Listener

log = logging.getLogger(__name__)


class Certificates:
    """What connections are greeted with: those for everything, and those for tokens."""

    def __init__(self, config: DaemonConfig) -> None:
        """InvalidArgumentError names the file that doesn't fit."""
        self._main = tls_context(config.tls) if config.tls else None
        self._token = tls_context(config.token_tls) if config.token_tls else None

    def of(self, listener: Listener) -> Callable[[], ssl.SSLContext] | None:
        """Return what to ask at each new connection; None for one without TLS."""
        if not listener.tls:
            return None
        if listener.entrance.tokens is Tokens.DEMANDED:
            return lambda: _there(self._token)
        return lambda: _there(self._main)

    def reload(self, config: DaemonConfig) -> None:
        """Read the files again. What doesn't fit is told, and nothing changes.

        ``config`` is what holds, not what a file says by now: nobody may come in without a
        certificate because an option was changed that counts from the next start on.
        """
        try:
            renewed = Certificates(config)
        except InvalidArgumentError as error:
            log.error("certificates not reloaded: %s", error)  # noqa: TRY400 - a person's mistake
            return
        self._main = renewed._main or self._main
        self._token = renewed._token or self._token


def _there(context: ssl.SSLContext | None) -> ssl.SSLContext:
    assert context is not None, "a listener for TLS is opened where TLS is configured"
    return context


def tls_context(tls: TlsConfig) -> ssl.SSLContext:
    """Make the server's context. InvalidArgumentError names the file that doesn't fit."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        for path in (tls.certificate, tls.key, *([tls.ca] if tls.verify else ())):
            os.stat(path)  # ssl's own errors don't name the file
        context.load_cert_chain(tls.certificate, tls.key)
        if tls.verify:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(tls.ca)
    except ssl.SSLError as error:
        raise InvalidArgumentError(f"could not load TLS files: {error}") from error
    except OSError as error:
        reason = f"open {error.filename}: {(error.strerror or str(error)).lower()}"
        raise InvalidArgumentError(
            f"could not load TLS files: {reason} (tlscert, tlskey and tlscacert name them)"
        ) from error
    return context
