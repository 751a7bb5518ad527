"""What EXPOSE names: ``80``, ``80/udp``, ``8000-8010``, also in ``docker run -p``'s long forms."""

import re

from boxship.dockerfile.errors import DockerfileError

_WORD = re.compile(
    r"(?:(?P<address>\[[0-9a-fA-F:.]+\]|[^:/]*):)?(?:(?P<host>[^:/]*):)?"
    r"(?P<first>\d{1,5})(?:-(?P<last>\d{1,5}))?(?:/(?P<protocol>[a-zA-Z]+))?",
    re.ASCII,
)
PROTOCOLS = ("tcp", "udp", "sctp")


def exposed_ports(words: tuple[str, ...]) -> tuple[str, ...]:
    """Return the ports of EXPOSE's words, variables replaced, as in an image: ``80/tcp``, sorted.

    Addresses and ports of the host are accepted and mean nothing.
    """
    found = {port for word in words for port in _ports(word)}
    return tuple(sorted(found))


def has_host_part(word: str) -> bool:
    """Tell whether a word names an address or a port of the host."""
    return ":" in word


def _ports(word: str) -> list[str]:
    match = _WORD.fullmatch(word)
    if match is None:
        raise DockerfileError(
            f"invalid containerPort: {word}", hint="such as 80, 53/udp, 8000-8010"
        )
    protocol = (match["protocol"] or "tcp").lower()
    if protocol not in PROTOCOLS:
        raise DockerfileError(f"invalid proto: {protocol}", hint=f"one of {', '.join(PROTOCOLS)}")
    first = int(match["first"])
    last = int(match["last"] or first)
    if not 0 <= first <= last <= 65535:
        raise DockerfileError(f"invalid range of ports: {word}")
    return [f"{port}/{protocol}" for port in range(first, last + 1)]
