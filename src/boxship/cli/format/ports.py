"""Published and exposed ports as ``ps`` writes them: ``0.0.0.0:8080-8081->80-81/tcp, 90/udp``."""

from collections.abc import Iterable, Mapping
from typing import Any


class _Run:
    """Neighbouring ports of one protocol on one address, waiting to be written."""

    def __init__(self, port: int) -> None:
        self.first = self.last = port


def display_ports(ports: Iterable[Mapping[str, Any]]) -> str:
    """Runs of neighbouring ports are joined when host and container ports run in step."""
    open_runs: dict[str, _Run] = {}
    finished: list[str] = []
    single: list[str] = []
    for port in sorted(ports, key=_order):
        private, public = port.get("PrivatePort", 0), port.get("PublicPort", 0)
        protocol, address = port.get("Type", "tcp"), port.get("IP", "")
        key = protocol
        if address:
            if public != private:
                host = f"[{address}]" if ":" in address else address
                single.append(f"{host}:{public}->{private}/{protocol}")
                continue
            key = f"{address}/{protocol}"
        run = open_runs.get(key)
        if run is None:
            open_runs[key] = _Run(private)
        elif run.last + 1 == private:
            run.last = private
        elif run.last != private:
            finished.append(_shown(key, run))
            open_runs[key] = _Run(private)
    finished += [_shown(key, open_runs[key]) for key in sorted(open_runs)]
    return ", ".join([*finished, *single])


def _order(port: Mapping[str, Any]) -> tuple[int, str, int, str]:
    return (
        port.get("PrivatePort", 0),
        port.get("IP", ""),
        port.get("PublicPort", 0),
        port.get("Type", ""),
    )


def _shown(key: str, run: _Run) -> str:
    address, separator, protocol = key.rpartition("/")
    numbers = str(run.first) if run.first == run.last else f"{run.first}-{run.last}"
    if not separator:
        return f"{numbers}/{protocol}"
    host = f"[{address}]" if ":" in address else address
    return f"{host}:{numbers}->{numbers}/{protocol}"
