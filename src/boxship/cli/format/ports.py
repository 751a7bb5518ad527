"""Published and exposed ports as ``ps`` writes them: ``0.0.0.0:8080-8081->80-81/tcp, 90/udp``.

What is published and yet not open to everybody says so: ``0.0.0.0:8080->80/tcp (10.0.0.0/8 only)``,
or ``(ufw decides)`` where a firewall of the host lets through what it allows.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple


class _Line(NamedTuple):
    """What neighbouring ports have in common; an empty address is that of no port of the host."""

    address: str
    offset: int
    protocol: str
    remark: str


class _Run:
    """Neighbouring ports inside, waiting to be written."""

    def __init__(self, line: _Line, port: int) -> None:
        self.line = line
        self.first = self.last = port


def display_ports(ports: Iterable[Mapping[str, Any]]) -> str:
    """Runs of neighbouring ports are joined when host and container ports run in step."""
    latest: dict[_Line, _Run] = {}
    runs: list[_Run] = []
    for port in sorted(ports, key=_order):
        private = port.get("PrivatePort", 0)
        line = _line(port, private)
        run = latest.get(line)
        if run is not None and private <= run.last + 1:
            run.last = private
        else:
            latest[line] = run = _Run(line, private)
            runs.append(run)
    # Docker's order: first what has the same number on both sides, what goes on latest last.
    same = [run for run in runs if not run.line.offset]
    ended = [run for run in same if latest[run.line] is not run]
    going_on = sorted((run for run in same if latest[run.line] is run), key=_key)
    shifted = [run for run in runs if run.line.offset]
    return ", ".join(map(_shown, (*ended, *going_on, *shifted)))


def _line(port: Mapping[str, Any], private: int) -> _Line:
    address, protocol = port.get("IP", ""), port.get("Type", "tcp")
    if not address:
        return _Line("", 0, protocol, "")
    return _Line(address, port.get("PublicPort", 0) - private, protocol, _remark(port))


def _remark(port: Mapping[str, Any]) -> str:
    sources, firewall = port.get("Sources"), port.get("Firewall")
    remarks = [f"{' '.join(sources)} only"] if sources else []
    remarks += [f"{firewall} decides"] if firewall else []
    return f" ({'; '.join(remarks)})" if remarks else ""


def _order(port: Mapping[str, Any]) -> tuple[int, str, int, str]:
    return (
        port.get("PrivatePort", 0),
        port.get("IP", ""),
        port.get("PublicPort", 0),
        port.get("Type", ""),
    )


def _key(run: _Run) -> str:
    address, _, protocol, _ = run.line
    return f"{address}/{protocol}" if address else protocol


def _shown(run: _Run) -> str:
    address, offset, protocol, remark = run.line
    inside = _interval(run.first, run.last)
    if not address:
        return f"{inside}/{protocol}"
    host = f"[{address}]" if ":" in address else address
    outside = _interval(run.first + offset, run.last + offset)
    return f"{host}:{outside}->{inside}/{protocol}{remark}"


def _interval(first: int, last: int) -> str:
    return str(first) if first == last else f"{first}-{last}"
