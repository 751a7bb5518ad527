"""Where a daemon listens: ``-H``, ``BOXSHIP_HOST``, ``DOCKER_HOST`` and TLS variables, parsed."""

import os
import re
from collections.abc import Mapping
from typing import NamedTuple

from boxship.base.errors import InvalidArgumentError, NotImplementedYetError

# No part begins with a dash: ssh would take it for an option.
_SSH = re.compile(
    r"(?:(?P<user>[^-@:/\s][^@:/\s]*)@)?(?P<host>[^-@:/\s][^@:/\s]*)(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<path>/[^?#\0]*)?"
)

DEFAULT_SOCKET = "/run/boxship/boxship.sock"
PLAIN_PORT = 2375
TLS_PORT = 2376


class TlsFiles(NamedTuple):
    """PEM files for a TLS connection; ``verify`` checks the daemon's certificate and name.

    Without ``ca`` it is verified by the authorities that the machine trusts.
    """

    ca: str
    cert: str
    key: str
    verify: bool


class UnixEndpoint(NamedTuple):
    path: str

    def __str__(self) -> str:
        return f"unix://{self.path}"


class TcpEndpoint(NamedTuple):
    host: str
    port: int
    tls: TlsFiles | None = None

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"tcp://{host}:{self.port}"


class SshEndpoint(NamedTuple):
    """A daemon on another machine, reached by a login there. Port 0: what ssh itself takes.

    ``path`` is that of its socket there; empty: what a client there would talk to.
    """

    host: str
    user: str = ""
    port: int = 0
    path: str = ""

    def __str__(self) -> str:
        user = f"{self.user}@" if self.user else ""
        return f"ssh://{user}{self.host}" + (f":{self.port}" if self.port else "") + self.path


Endpoint = UnixEndpoint | TcpEndpoint | SshEndpoint


def parse_host(text: str, tls: TlsFiles | None = None) -> Endpoint:
    """An endpoint from ``unix:///path``, ``[tcp://]host:port``, ``ssh://user@host``"""
    scheme, separator, rest = text.partition("://")
    if not separator:
        scheme, rest = "tcp", text
    if scheme == "unix":
        return UnixEndpoint(rest or DEFAULT_SOCKET)
    if scheme in ("tcp", "http", "https"):
        return _tcp(rest, tls)
    if scheme == "ssh":
        return _ssh(text, rest)
    if scheme in ("npipe", "fd"):
        raise NotImplementedYetError(
            f"hosts of the form {scheme}:// are not supported yet; use unix://, tcp:// or ssh://"
        )
    raise InvalidArgumentError(f"unable to parse docker host `{text}`: use unix:// or tcp://")


def _ssh(text: str, rest: str) -> SshEndpoint:
    match = _SSH.fullmatch(rest)
    if match is None:
        raise InvalidArgumentError(
            f"unable to parse docker host `{text}`: use ssh://user@host:port"
        )
    path = match["path"] or ""
    return SshEndpoint(
        match["host"], match["user"] or "", int(match["port"] or 0), path if path != "/" else ""
    )


def _tcp(rest: str, tls: TlsFiles | None) -> TcpEndpoint:
    authority = rest.split("/", 1)[0]
    if authority.startswith("["):
        host, _, tail = authority[1:].partition("]")
        port = tail.removeprefix(":")
    else:
        host, _, port = authority.partition(":")
    default = TLS_PORT if tls else PLAIN_PORT
    if port and not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise InvalidArgumentError(f"invalid port {port!r} in docker host `{rest}`")
    return TcpEndpoint(host or "localhost", int(port) if port else default, tls)


class TlsOptions(NamedTuple):
    """The ``--tls*`` flags; ``None`` means the flag was not given."""

    tls: bool = False
    tlsverify: bool | None = None
    ca: str | None = None
    cert: str | None = None
    key: str | None = None


def tls_files(options: TlsOptions, environment: Mapping[str, str]) -> TlsFiles | None:
    """The files to use, or None for a plain connection.

    ``DOCKER_TLS_VERIFY`` counts as set when it is not empty, ``DOCKER_TLS`` likewise.
    """
    verify = options.tlsverify
    if verify is None:
        verify = bool(environment.get("DOCKER_TLS_VERIFY"))
    if not (verify or options.tls or environment.get("DOCKER_TLS")):
        return None
    directory = environment.get("DOCKER_CERT_PATH") or environment.get("DOCKER_CONFIG")
    directory = directory or os.path.join(os.path.expanduser("~"), ".docker")
    return TlsFiles(
        ca=options.ca or os.path.join(directory, "ca.pem"),
        cert=options.cert or os.path.join(directory, "cert.pem"),
        key=options.key or os.path.join(directory, "key.pem"),
        verify=verify,
    )


class Choice(NamedTuple):
    """An endpoint and whether somebody asked for it; only the default one is started on demand."""

    endpoint: Endpoint
    is_default: bool


def choose(host: str | None, tls: TlsOptions, environment: Mapping[str, str]) -> Choice:
    """The daemon to talk to: the flag, then the environment, then the default socket."""
    chosen = host or environment.get("BOXSHIP_HOST") or environment.get("DOCKER_HOST")
    if not chosen:
        return Choice(UnixEndpoint(DEFAULT_SOCKET), is_default=True)
    return Choice(parse_host(chosen, tls_files(tls, environment)), is_default=False)
