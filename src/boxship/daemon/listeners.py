"""The sockets the daemon listens on: unix, TCP with or without TLS, or systemd's.

A unix socket is made with mode 0660 before anybody can connect. TCP lets everybody who reaches it
become root on this machine: beyond the loopback addresses it is refused without client
certificates, unless ``--allow-insecure-tcp`` (in ``daemon.json``: ``allow-insecure-tcp``) says so.
"""

import contextlib
import grp
import ipaddress
import logging
import os
import socket
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from boxship.api.http.entrance import MAIN, Entrance, Tokens
from boxship.base.errors import InvalidArgumentError, UnavailableError
from boxship.daemon.config import DaemonConfig
from boxship.daemon.options import DEFAULT_HOST

log = logging.getLogger(__name__)

_FIRST_ACTIVATED = 3
_PORT, _TLS_PORT = 2375, 2376


@dataclass(frozen=True)
class Listener:
    """A listening socket; ``path`` is a unix socket's that we made and shall remove.

    ``entrance`` says what those may do who connect to it.
    """

    sock: socket.socket
    name: str
    tls: bool = False
    path: str = ""
    entrance: Entrance = MAIN
    metrics: bool = False
    """For ``/metrics`` alone."""

    def remove(self) -> None:
        """Remove the file of a unix socket of ours."""
        if self.path:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.path)


def check_listeners(config: DaemonConfig) -> None:
    """See that nothing is to be listened on that would be refused; nothing is opened.

    InvalidArgumentError names it. Hosts' names are not resolved: another machine may validate.
    """
    for host in config.hosts:
        if host.startswith(("unix://", "/")):
            _group(config)
        if host.startswith("tcp://"):
            name, _ = split_address(host.removeprefix("tcp://"), _PORT)
            try:
                ipaddress.ip_address(name)
            except ValueError:
                continue
            _refuse_insecure(name, config)


def open_listeners(config: DaemonConfig) -> list[Listener]:
    """Open everything the configuration names; all or none."""
    opened: list[Listener] = []
    try:
        for host in _hosts(config):
            opened += _open(host, config)
        for host in config.words("token-hosts"):
            opened += _open_for_tokens(host)
        if config.text("metrics-addr"):
            opened += _open_metrics(config.text("metrics-addr"))
    except BaseException:
        for listener in opened:
            listener.sock.close()
            listener.remove()
        raise
    return opened


def _hosts(config: DaemonConfig) -> tuple[str, ...]:
    """Return what to listen on. Sockets that systemd has handed over are taken unasked.

    Whoever connects to them would wait for ever otherwise; and a unit that needn't name them by
    ``-H`` leaves ``hosts`` to ``daemon.json``.
    """
    hosts = config.words("hosts")
    if not _are_handed_over() or any(host.startswith("fd://") for host in hosts):
        return config.hosts
    return ("fd://", *hosts)


def _are_handed_over() -> bool:
    return os.environ.get("LISTEN_PID") == str(os.getpid())


def _open(host: str, config: DaemonConfig) -> list[Listener]:
    scheme, separator, address = host.partition("://")
    if not separator:
        scheme, address = ("unix", host) if host.startswith("/") else ("tcp", host)
    if scheme == "unix":
        return [_open_unix(address or DEFAULT_HOST.removeprefix("unix://"), config)]
    if scheme == "tcp":
        return list(_open_tcp(address, config))
    if scheme == "fd":
        return activated(address, config)
    raise InvalidArgumentError(f"invalid host {host}: use unix://, tcp:// or fd://")


# ── unix ─────────────────────────────────────────────────────────────────────────────────────────


def _open_unix(path: str, config: DaemonConfig) -> Listener:
    os.makedirs(os.path.dirname(path) or ".", mode=0o711, exist_ok=True)
    return Listener(open_unix(path, _group(config), 0o660), path, path=path)


def open_unix(path: str, group: int | None, mode: int) -> socket.socket:
    """Make a socket that has its mode and group before anybody can connect.

    UnavailableError: something is in the way.
    """
    _remove_stale(path)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        os.fchmod(sock.fileno(), 0)  # the file's mode; a umask would be that of all threads
        sock.bind(path)
        if group is not None:
            os.chown(path, -1, group)
        os.chmod(path, mode)
        sock.listen()
    except OSError as error:
        sock.close()
        raise UnavailableError(
            f"can't create unix socket {path}: {error.strerror or error}"
        ) from error
    return sock


def _remove_stale(path: str) -> None:
    """Remove a socket that nobody listens on; never another daemon's, never another file."""
    try:
        mode = os.stat(path, follow_symlinks=False).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise UnavailableError(f"can't create unix socket {path}: a file is in the way")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            os.unlink(path)
            return
    raise UnavailableError(f"can't create unix socket {path}: another daemon listens on it")


def _group(config: DaemonConfig) -> int | None:
    """Return the id of the socket's group. The default one needn't exist, a named one must."""
    name = config.text("group")
    if name == "":
        return None
    if name != "docker":
        return group_id(name)
    for candidate in (name, "boxship"):
        with contextlib.suppress(KeyError):
            return grp.getgrnam(candidate).gr_gid
    return None


def group_id(name: str) -> int:
    """Return the id of a group, by its name or number. InvalidArgumentError: there is none."""
    if name.isdecimal():
        return int(name)
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        raise InvalidArgumentError(f"group {name} not found") from None


# ── TCP ──────────────────────────────────────────────────────────────────────────────────────────


def _open_tcp(address: str, config: DaemonConfig) -> Iterator[Listener]:
    tls = config.tls
    host, port = split_address(address, _TLS_PORT if tls else _PORT)
    for found in _resolved(host, port):
        _refuse_insecure(found.host, config)
        yield _listener(found, tls=tls is not None, entrance=_entrance(config))


def _entrance(config: DaemonConfig) -> Entrance:
    """Tokens count where nobody can listen to them, and there they take rights away."""
    return MAIN if config.tls is None else Entrance(tokens=Tokens.TAKEN)


def _open_for_tokens(host: str) -> Iterator[Listener]:
    """Open a door that gives nothing without a token; always with TLS, and to anybody."""
    scheme, _, address = host.rpartition("://")
    if scheme not in ("", "tcp"):
        raise InvalidArgumentError(f"invalid token-hosts: {host}: only tcp:// is for tokens")
    for found in _resolved(*split_address(address, _TLS_PORT)):
        yield _listener(found, tls=True, entrance=Entrance(tokens=Tokens.DEMANDED))


def _open_metrics(address: str) -> Iterator[Listener]:
    """Metrics tell much and change nothing, so any address will do."""
    for found in _resolved(*split_address(address, 0)):
        yield _listener(found, metrics=True)


@dataclass(frozen=True)
class _Address:
    family: int
    kind: int
    protocol: int
    bound: tuple[Any, ...]

    @property
    def host(self) -> str:
        return str(self.bound[0])


def _resolved(host: str, port: int) -> Iterator[_Address]:
    found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    for family, kind, protocol, _, bound in dict.fromkeys(found):
        yield _Address(family, kind, protocol, bound)


def _listener(
    address: _Address, *, tls: bool = False, entrance: Entrance = MAIN, metrics: bool = False
) -> Listener:
    sock = socket.socket(address.family, address.kind, address.protocol)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if address.family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(address.bound)
        sock.listen()
    except OSError as error:
        sock.close()
        port = address.bound[1]
        raise UnavailableError(
            f"can't listen on {address.host}:{port}: {error.strerror}"
        ) from error
    name = f"{address.host}:{sock.getsockname()[1]}"
    return Listener(sock, name, tls=tls, entrance=entrance, metrics=metrics)


def split_address(address: str, default_port: int) -> tuple[str, int]:
    """Take ``host:port``, ``[v6]:port``, ``:port`` or ``host`` apart; no host is 127.0.0.1."""
    host, colon, port = address.rstrip("/").rpartition(":")
    if not colon or "]" in port:
        host, port = address.rstrip("/"), ""
    host = host.removeprefix("[").removesuffix("]")
    if port and not (port.isdecimal() and int(port) < 65536):
        raise InvalidArgumentError(f"invalid host tcp://{address}: {port} is not a port")
    return host or "127.0.0.1", int(port) if port else default_port


def _refuse_insecure(address: str, config: DaemonConfig) -> None:
    if ipaddress.ip_address(address.partition("%")[0]).is_loopback:
        return
    tls = config.tls
    if (tls is not None and tls.verify) or config.flag("allow-insecure-tcp"):
        return
    raise InvalidArgumentError(
        f"refusing to listen on {address}: whoever reaches it would be root here. Use --tlsverify, "
        "or --allow-insecure-tcp if the network is trusted"
    )


# ── systemd ──────────────────────────────────────────────────────────────────────────────────────


def activated(name: str, config: DaemonConfig) -> list[Listener]:
    """Return the sockets systemd handed over, all or those of one name (``LISTEN_FDNAMES``).

    For one of TCP the same holds as for one that we open.
    """
    if not _are_handed_over():
        raise InvalidArgumentError("no sockets found via socket activation: start it by systemd")
    count = int(os.environ.get("LISTEN_FDS", "0"))
    names = os.environ.get("LISTEN_FDNAMES", "").split(":")
    listeners = []
    for index in range(count):
        fd = _FIRST_ACTIVATED + index
        if name in ("", "*", names[index] if index < len(names) else "", str(fd)):
            os.set_inheritable(fd, False)
            listeners.append(_handed_over(socket.socket(fileno=fd), config))
    if not listeners:
        raise InvalidArgumentError(f"no sockets found via socket activation named {name!r}")
    return listeners


def _handed_over(sock: socket.socket, config: DaemonConfig) -> Listener:
    name = f"fd {sock.fileno()}"
    if sock.family == socket.AF_UNIX:
        return Listener(sock, name)
    _refuse_insecure(str(sock.getsockname()[0]), config)
    return Listener(sock, name, tls=config.tls is not None, entrance=_entrance(config))
