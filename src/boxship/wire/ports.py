"""Port maps of the Engine API, which know single ports only, to intervals.

A client that publishes 20000-30000 sends 10,001 bindings. They are folded before they are looked
at in any other way, so that neither the record nor anything that reads it meets them one by one::

    {"20000/tcp": [{"HostPort": "20000"}], "20001/tcp": [{"HostPort": "20001"}], …}
    {"20000-30000/tcp": [{"HostPort": "20000-30000"}]}

A folded key can't be confused with a client's: Docker refuses intervals in the keys of bindings.
Ports of one interval have the same bindings but for the host's ports, which run in step. The way
back, for answers, is ``boxship.model.portmaps``.
"""

from collections.abc import Callable
from typing import Any

from boxship.base.errors import InvalidArgumentError
from boxship.model.ports import LAST_PORT, PROTOCOLS, interval_text, joined, quoted

_MEMBERS = {"HostIp", "HostPort", "Sources"}
Loose = Any
"""What a JSON decoder gives, not looked at yet."""
_End = tuple[str, int | None, tuple[str, ...] | None]
"""A binding seen from its port: address, the host's port less that port (None: any), sources."""
_Ends = tuple[_End, ...]


def fold_bindings(bindings: Loose, normalise: Callable[[Loose], Loose]) -> Loose:
    """Fold ``PortBindings``; what can't be folded is normalised and left alone.

    InvalidArgumentError: a key is an interval already.
    """
    if not isinstance(bindings, dict):
        return bindings
    result: dict[str, Loose] = {}
    groups: dict[tuple[str, _Ends], list[_Run]] = {}
    run = _Run("", 0, [], ())
    for key, loose in bindings.items():
        if key == run.next_key and loose == run.next_ends:
            run.extend()
            continue
        port, _, protocol = key.partition("/")
        number = _number(port) if protocol in PROTOCOLS else 0
        ends = _ends(loose, number) if number else None
        if ends is not None:
            run = _Run(protocol, number, loose, ends)
            groups.setdefault((protocol, ends), []).append(run)
        elif "-" in port:
            raise InvalidArgumentError(f"invalid port specification: {quoted(port)}")
        else:
            result[key] = normalise({key: loose})[key]
    for (protocol, ends), runs in groups.items():
        for first, last in joined((run.first, run.last) for run in runs):
            key = f"{interval_text(first, last)}/{protocol}"
            result[key] = [_binding(end, first, last) for end in ends]
    return result


class _Run:
    """Ports in a row, and what the next one would look like.

    Clients send them in order. To compare with what is expected takes a quarter of the time that
    taking each apart takes.
    """

    __slots__ = ("_steps", "_suffix", "first", "last", "next_ends", "next_key")

    def __init__(self, protocol: str, number: int, loose: list[dict[str, Loose]], ends: _Ends):
        self.first = self.last = number
        self._suffix = f"/{protocol}"
        self.next_ends = [dict(end) for end in loose]
        self._steps = [
            (end, step)
            for end, (_, step, _) in zip(self.next_ends, ends, strict=True)
            if step is not None
        ]
        self._expect()

    def extend(self) -> None:
        self.last += 1
        self._expect()

    def _expect(self) -> None:
        number = self.last + 1
        self.next_key = f"{number}{self._suffix}"
        for end, step in self._steps:
            end["HostPort"] = str(number + step)


def _number(text: str) -> int:
    """Read a port as clients write it; 0: it isn't one, or is written in another way."""
    if text.isdigit() and text.isascii() and text[0] != "0" and len(text) <= 5:
        number = int(text)
        return number if number <= LAST_PORT else 0
    return 0


def _ends(loose: Loose, port: int) -> _Ends | None:
    """Return what a port's bindings may have in common with its neighbours'; None: nothing."""
    if loose.__class__ is not list or not loose:
        return None
    if len(loose) == 1:  # nearly always, and this is done for every port of a range
        end = _end_of(loose[0], port)
        return None if end is None else (end,)
    ends = tuple(end for one in loose if (end := _end_of(one, port)) is not None)
    return ends if len(ends) == len(loose) else None


def _end_of(loose: Loose, port: int) -> _End | None:
    if loose.__class__ is not dict or not loose.keys() <= _MEMBERS:
        return None
    address, host, sources = loose.get("HostIp"), loose.get("HostPort"), loose.get("Sources")
    address = "" if address is None else address
    host = "" if host is None else host
    if sources is not None:
        if not (isinstance(sources, list) and all(isinstance(one, str) for one in sources)):
            return None
        sources = tuple(sources)
    if not isinstance(address, str) or not isinstance(host, str):
        return None
    if not host:
        return address, None, sources
    number = _number(host)
    return (address, number - port, sources) if number else None


def _binding(end: _End, first: int, last: int) -> dict[str, Loose]:
    address, step, sources = end
    host = "" if step is None else interval_text(first + step, last + step)
    binding: dict[str, Loose] = {"HostIp": address, "HostPort": host}
    if sources is not None:
        binding["Sources"] = list(sources)
    return binding


def fold_exposed(ports: Loose, normalise: Callable[[Loose], Loose]) -> Loose:
    """Fold the keys of ``ExposedPorts``; those that are no ports are left alone."""
    if not isinstance(ports, dict):
        return ports
    result: dict[str, Loose] = {}
    groups: dict[str, list[tuple[int, int]]] = {}
    for key, loose in ports.items():
        port, _, protocol = key.partition("/")
        number = _number(port) if protocol in PROTOCOLS and loose in (None, {}) else 0
        if number:
            groups.setdefault(protocol, []).append((number, number))
        else:
            result[key] = normalise({key: loose})[key]
    for protocol, intervals in groups.items():
        for first, last in joined(intervals):
            result[f"{interval_text(first, last)}/{protocol}"] = {}
    return result
