"""What a daemon does all the time: probes of health, statistics; counted as share of a core.

Only the daemon's own process is counted, not what runs in containers, nor shims or launchers.
"""

import json
import os
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from bench.rows import Engines, Goal, Row
from support.api import Api
from support.engine import Engine
from support.waiting import eventually

CONTAINERS = 200
STREAMS = 50
SECONDS = 30
_CLIENTS = 8
_INTERVAL = 5 * 10**9


def health(engines: Mapping[Engines, Engine]) -> Iterator[Row]:
    """200 containers that are looked at every 5 seconds; one engine at a time."""
    check = {"Test": ["CMD", "true"], "Interval": _INTERVAL, "Timeout": _INTERVAL, "Retries": 3}
    shares = {}
    for name, engine in engines.items():
        _start(engine.api, CONTAINERS, Healthcheck=check)
        eventually(partial(_all_healthy, engine.api), "200 healthy containers", timeout=120)
        shares[name] = _share(engine.pid)
        _remove(engine.api, CONTAINERS)
    title = f"{CONTAINERS} containers checked every 5 s: daemon's share of a core"
    yield Row(title, "%", shares, Goal(10, of_dockerd=False))


def stats(engines: Mapping[Engines, Engine]) -> Iterator[Row]:
    """50 containers whose statistics are streamed, a sample a second each."""
    shares = {}
    for name, engine in engines.items():
        _start(engine.api, STREAMS)
        with ExitStack() as stack:
            streams = [
                stack.enter_context(engine.api.stream("GET", f"/containers/steady-{number}/stats"))
                for number in range(STREAMS)
            ]
            for stream in streams:
                assert json.loads(stream.readline())["id"], "no sample"
            shares[name] = _share(engine.pid)
        _remove(engine.api, STREAMS)
    title = f"statistics of {STREAMS} containers streamed: daemon's share of a core"
    yield Row(title, "%", shares)


def _share(pid: int) -> float:
    begin, used = time.perf_counter(), _used(pid)
    time.sleep(SECONDS)
    return (_used(pid) - used) / (time.perf_counter() - begin) * 100


def _used(pid: int) -> float:
    """Seconds of processors that the process's own threads have taken."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _all_healthy(api: Api) -> bool:
    found = api.get("/containers/json", filters=json.dumps({"health": ["healthy"]})).json()
    return len(found) == CONTAINERS


def _start(api: Api, count: int, **config: object) -> None:
    def one(number: int) -> None:
        api.start(api.create(f"steady-{number}", Cmd=["sleep", "100000"], **config))

    with ThreadPoolExecutor(_CLIENTS) as clients:
        list(clients.map(one, range(count)))


def _remove(api: Api, count: int) -> None:
    with ThreadPoolExecutor(_CLIENTS) as clients:
        list(clients.map(lambda number: api.remove(f"steady-{number}"), range(count)))
