"""resolv.conf, as Docker has it for each kind of network.

- ``HOST``: the host's own network, so the host's file, with what was asked for instead.
- ``DIRECT``: the default bridge, and no network. The same, without what can't be reached from
  there: the host's loopback, and IPv6 unless the container speaks it. If nothing is left, public
  servers step in.
- ``EMBEDDED``: user-defined networks. The resolver at 127.0.0.11 alone, which knows the containers'
  names and asks the servers that would stand here otherwise. It asks them from the host, so that
  the host's loopback is no obstacle.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from ipaddress import AddressValueError, IPv4Address, IPv6Address

RESOLVER = "127.0.0.11"
_PUBLIC_V4 = ("8.8.8.8", "8.8.4.4")
_PUBLIC_V6 = ("2001:4860:4860::8888", "2001:4860:4860::8844")
_HOST_FILE = "/etc/resolv.conf"
_BEHIND_STUB = "/run/systemd/resolve/resolv.conf"
_STUB = ("127.0.0.53",)
_HEADER = "# Written by Boxship at each start of the container."


class Reach(Enum):
    """How names are looked up in a container."""

    HOST = "host"
    DIRECT = "direct"
    EMBEDDED = "embedded"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Servers, search domains and options; what is empty is left to the host's file."""

    servers: tuple[str, ...] = ()
    search: tuple[str, ...] = ()
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ResolverFile:
    """A file, and what the resolver has to know if it is the one that is named there."""

    text: str
    servers: tuple[str, ...] = ()
    """What it asks; with EMBEDDED only."""
    forwards_single_labels: bool = True
    """Off with ``ndots`` above 0, with EMBEDDED only: the C library appends search domains."""


@dataclass(frozen=True, slots=True)
class _Content:
    settings: Wanted
    others: tuple[str, ...]
    """Lines of other kinds (``sortlist``), as they are."""


def made(host_file: str, wanted: Wanted, reach: Reach, *, ipv6: bool = False) -> ResolverFile:
    """Make the file from the host's. ``search .`` means none; ``ipv6``: the container speaks it."""
    host = _parsed(host_file)
    settings = Wanted(
        servers=wanted.servers or host.settings.servers,
        search=() if wanted.search == (".",) else wanted.search or host.settings.search,
        options=wanted.options or host.settings.options,
    )
    if reach is Reach.EMBEDDED:
        return _embedded(_Content(settings, host.others))
    if reach is Reach.DIRECT and not wanted.servers:
        settings = replace(settings, servers=_reachable(settings.servers, ipv6))
    return ResolverFile(_text((_HEADER,), _Content(settings, host.others)))


def host_file(reach: Reach) -> str:
    """Return the host's file.

    For those who can't reach the host's loopback the one that systemd-resolved keeps beside its
    stub, which names the real servers.
    """
    text = _read(_HOST_FILE)
    if reach is Reach.DIRECT and _parsed(text).settings.servers == _STUB:
        return _read(_BEHIND_STUB) or text
    return text


def _embedded(content: _Content) -> ResolverFile:
    settings = content.settings
    servers = tuple(one for one in settings.servers if one != RESOLVER)
    dots = [option for option in settings.options if option.startswith("ndots:")]
    options = settings.options if dots else (*settings.options, "ndots:0")
    head = (_HEADER, f"# ExtServers: [{' '.join(servers)}]")
    inside = Wanted((RESOLVER,), settings.search, options)
    text = _text(head, _Content(inside, content.others))
    return ResolverFile(text, servers, not any(option[6:].strip("0") for option in dots))


def _reachable(servers: Sequence[str], ipv6: bool) -> tuple[str, ...]:
    kept = tuple(one for one in servers if not _is_loopback(one) and (ipv6 or ":" not in one))
    return kept or (_PUBLIC_V4 + _PUBLIC_V6 if ipv6 else _PUBLIC_V4)


def _is_loopback(server: str) -> bool:
    try:
        if ":" in server:
            return IPv6Address(server).is_loopback
        return IPv4Address(server).is_loopback
    except AddressValueError:
        return False


def _parsed(text: str) -> _Content:
    """Read resolv.conf(5): of ``search`` and ``domain`` the last line counts, options add up."""
    servers: list[str] = []
    search: tuple[str, ...] = ()
    options: list[str] = []
    others: list[str] = []
    for line in text.splitlines():
        words = line.split()
        match words:
            case []:
                continue
            case [first, *_] if first[0] in "#;":
                continue
            case ["nameserver"]:
                continue
            case ["nameserver", address, *_]:
                servers.append(address)
            case ["search" | "domain", *names]:
                search = tuple(names)
            case ["options", *more]:
                options += more
            case _:
                others.append(line)
    return _Content(Wanted(tuple(servers), search, tuple(options)), tuple(others))


def _text(head: Iterable[str], content: _Content) -> str:
    settings = content.settings
    lines = [*head, *(f"nameserver {server}" for server in settings.servers)]
    if settings.search:
        lines.append(f"search {' '.join(settings.search)}")
    if settings.options:
        lines.append(f"options {' '.join(settings.options)}")
    return "".join(f"{line}\n" for line in (*lines, *content.others))


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""
