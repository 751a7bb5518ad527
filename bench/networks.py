"""Networks: a container's start with one, published ports, names.

Each engine has a machine of its own, with a neighbour (`tests/support/machines.py`): the callers of
published ports are there, the servers in a container's namespace, the same for both.
"""

import re
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path

from bench.rows import Engines, Goal, Row
from bench.timing import medians, milliseconds
from support import residue
from support.lab import Box, Lab
from support.names import ask
from support.places import Place
from support.waiting import eventually

NOTE = """\
Published ports are called from another machine (a network namespace behind a veth), and from the
machine itself on 127.0.0.1, where dockerd has its proxy. wrk runs with 2 threads and 32 connections
against nginx and a file of 612 bytes, all on the same 2 cores. Lookups are sent by the clock, 5,000
a second, by a process in the container."""
CROWD = 50
RATE, SECONDS = 5000, 4
_SIZE = 1 << 30
_SELF = [sys.executable, "-m", "bench.traffic"]

Labs = Mapping[Engines, Lab]


def networks(versions: Callable[[Labs], None], only: Sequence[Engines]) -> Iterator[Row]:
    """All rows; ``versions`` is shown the machines."""
    kinds = {Engines.DOCKERD: "dockerd", Engines.BOXSHIP: "boxshipd"}
    with ExitStack() as stack:
        labs = {name: stack.enter_context(Lab(kinds[name])) for name in only}
        versions(labs)
        for case in (_run, _crowd, _stream, _requests, _names, _restart, _range):
            print(f"  {case.__name__[1:]} …", file=sys.stderr, flush=True)
            yield from case(labs)
            for lab in labs.values():
                lab.clear()


def _run(labs: Labs) -> Iterator[Row]:
    actions = {
        name: partial(lab.docker, "run", "--rm", "busybox", "true") for name, lab in labs.items()
    }
    yield Row("docker run --rm busybox true", "ms", medians(actions, rounds=15), Goal(0.25))


def _crowd(labs: Labs) -> Iterator[Row]:
    """50 containers with a port each, by 8 clients; three rounds in turns."""
    taken: dict[str, dict[Engines, list[float]]] = {"start": {}, "remove": {}}
    for _ in range(3):
        for name, lab in labs.items():
            for what, work in (("start", _start_one), ("remove", _remove_one)):
                took = milliseconds(partial(_by_eight, partial(work, lab)))
                taken[what].setdefault(name, []).append(took)
    titles = {"start": "created and started", "remove": "removed"}
    for what, title in titles.items():
        figures = {name: statistics.median(times) for name, times in taken[what].items()}
        yield Row(
            f"{CROWD} containers with a published port {title} by 8 clients",
            "ms",
            figures,
            Goal(0.25),
        )


def _by_eight(work: Callable[[int], None]) -> None:
    with ThreadPoolExecutor(8) as clients:
        list(clients.map(work, range(CROWD)))


def _start_one(lab: Lab, number: int) -> None:
    bindings = {"80/tcp": [{"HostPort": str(7000 + number)}]}
    api = lab.engine.api
    host = {"NetworkMode": "bridge", "PortBindings": bindings}
    api.start(api.create(f"crowd-{number}", Cmd=["sleep", "100000"], HostConfig=host))


def _remove_one(lab: Lab, number: int) -> None:
    lab.engine.api.remove(f"crowd-{number}")


def _stream(labs: Labs) -> Iterator[Row]:
    """1 GB through a published port; from the neighbour and from the machine's own loopback."""
    with ExitStack() as stack:
        for lab in labs.values():
            box = lab.run("source", "-p", "6080:80")
            stack.enter_context(_program(box, *_SELF, "source", "80", str(_SIZE)))
        for place, title, goal in _WAYS:
            actions = {name: partial(_receive, *place(lab)) for name, lab in labs.items()}
            figures = medians(actions, rounds=7)
            yield Row(f"1 GB through a published port, {title}", "ms", figures, goal)


def _from_neighbour(lab: Lab) -> tuple[Place, str]:
    return lab.peer, lab.machine.address


def _from_loopback(lab: Lab) -> tuple[Place, str]:
    return lab.machine, "127.0.0.1"


# "Not below dockerd's": both go the kernel's way from outside, so all but a measurement's noise.
_WAYS = (
    (_from_neighbour, "from another machine", Goal(1.05)),
    (_from_loopback, "on 127.0.0.1", Goal(1.0)),
)


def _receive(place: Place, address: str) -> None:
    place.run(*_SELF, "sink", address, "6080")


def _requests(labs: Labs) -> Iterator[Row]:
    """wrk: time for a thousand requests (so that less is better, as everywhere), and latency."""
    with ExitStack() as stack:
        for lab in labs.values():
            box = lab.run("web", "-p", "6080:80")
            stack.enter_context(_nginx(box, lab.engine.home / "nginx"))
        for place, title, goal in _WAYS:
            times: dict[Engines, list[float]] = {name: [] for name in labs}
            latencies: dict[Engines, list[float]] = {name: [] for name in labs}
            for _ in range(5):
                for name, lab in labs.items():
                    rate, latency = _wrk(*place(lab))
                    times[name].append(1e6 / rate)
                    latencies[name].append(latency)
            for unit, what, taken in (
                ("ms", "1,000 requests", times),
                ("ms", "median latency of a request", latencies),
            ):
                figures = {name: statistics.median(values) for name, values in taken.items()}
                yield Row(f"wrk: {what}, {title}", unit, figures, goal)


def _wrk(place: Place, address: str) -> tuple[float, float]:
    """Requests a second, and the median latency in milliseconds."""
    url = f"http://{address}:6080/"
    said = place.run("wrk", "-t2", "-c32", "-d2s", "--latency", url)
    rate = re.search(r"Requests/sec: +([\d.]+)", said)
    half = re.search(r" 50% +([\d.]+)(us|ms|s)", said)
    assert rate is not None, said
    assert half is not None, said
    assert "Non-2xx" not in said, said
    return float(rate[1]), float(half[1]) * {"us": 1e-3, "ms": 1.0, "s": 1e3}[half[2]]


def _names(labs: Labs) -> Iterator[Row]:
    """Three rounds in turns, and the median of each figure."""
    boxes: dict[Engines, Box] = {}
    for name, lab in labs.items():
        lab.network("shop")
        lab.run("web", "--network=shop")
        boxes[name] = lab.run("asking", "--network=shop")
    rates: dict[Engines, list[float]] = {name: [] for name in labs}
    slow: dict[Engines, list[float]] = {name: [] for name in labs}
    for _ in range(3):
        for name, box in boxes.items():
            said = box.run(*_SELF, "lookups", "web", str(RATE), str(SECONDS))
            rate, _, slowest, lost = map(float, said.split())
            rates[name].append(1e6 / rate if rate else float("inf"))
            slow[name].append(float("inf") if lost else slowest)
    for title, unit, taken, limit in (
        (f"{RATE:,} lookups a second: 99th percentile", "ms", slow, 5.0),
        ("the same: time for 1,000 answers", "ms", rates, 1e6 / RATE * 1.02),
    ):
        figures = {name: statistics.median(values) for name, values in taken.items()}
        yield Row(title, unit, figures, Goal(limit, of_dockerd=False))


def _restart(labs: Labs) -> Iterator[Row]:
    """A container's names after its daemon was killed; dockerd's keep silent until it is up."""
    lab = labs.get(Engines.BOXSHIP)
    if lab is None:
        return
    lab.network("kept")
    web, asking = lab.run("web", "--network=kept"), lab.run("asking", "--network=kept")
    known = (web.address(),)

    def answered() -> None:
        lab.engine.launch()
        while True:
            with suppress(OSError):
                if ask(asking, "web", timeout=0.02).addresses == known:
                    return

    times: list[float] = []
    for _ in range(5):
        lab.engine.kill()
        times.append(milliseconds(answered))
        eventually(lab.engine.answers, "the daemon")
    figure = {Engines.BOXSHIP: statistics.median(times)}
    title = "names answered after kill -9, from the daemon's start"
    yield Row(title, "ms", figure, Goal(1000, of_dockerd=False))


def _range(labs: Labs) -> Iterator[Row]:
    """10,001 ports; dockerd starts a process for each and is not asked to."""
    lab = labs.get(Engines.BOXSHIP)
    if lab is None:
        return
    times: list[float] = []
    for _ in range(5):
        alone = _processes(lab)
        times.append(milliseconds(partial(lab.docker, "run", "-d", *_WIDE)))
        # Its own, and the shim; whatever helped it into being is on its way out.
        eventually(partial(_no_more_than, lab, alone + 2), "no more than two processes")
        lab.engine.api.remove("wide")
        eventually(partial(_no_more_than, lab, alone), "their end")
    figure = {Engines.BOXSHIP: statistics.median(times)}
    title = "docker run -d -p 20000-30000:20000-30000"
    yield Row(title, "ms", figure, Goal(500, of_dockerd=False))


_WIDE = ("--name=wide", "-p", "20000-30000:20000-30000", "busybox", "sleep", "100000")


def _processes(lab: Lab) -> int:
    return len(residue.descendants(lab.engine.pid))


def _no_more_than(lab: Lab, count: int) -> bool:
    return _processes(lab) <= count


@contextmanager
def _nginx(box: Box, place: Path) -> Iterator[None]:
    place.mkdir()
    (place / "index.html").write_text("x" * 612)
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temporary = " ".join(f"{kind}_temp_path {place}/{kind};" for kind in kinds)
    (place / "nginx.conf").write_text(f"""
        daemon off; user root; worker_processes 1; pid {place}/pid; error_log {place}/errors;
        events {{ worker_connections 1024; }}
        http {{ access_log off; {temporary} keepalive_requests 1000000;
            server {{ listen 80; root {place}; }} }}
    """)
    with _program(box, "nginx", "-p", str(place), "-c", str(place / "nginx.conf"), ready=""):
        eventually(lambda: _answers(box), "nginx")
        yield


def _answers(box: Box) -> bool:
    try:
        box.connect("127.0.0.1", 80).close()
    except OSError:
        return False
    return True


@contextmanager
def _program(place: Place, *command: str, ready: str = "ready") -> Iterator[None]:
    """Something that runs in a place until the end; it says that it is ready."""
    program = subprocess.Popen(
        ["nsenter", f"--net={place.path}", *command], stdout=subprocess.PIPE, text=True
    )
    with program:
        try:
            assert program.stdout is not None
            assert not ready or program.stdout.readline().strip() == ready
            yield
        finally:
            program.terminate()
