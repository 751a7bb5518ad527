"""The daemon's own start and end, with containers that it has to look after."""

import contextlib
import http.client
import statistics
import threading
from collections.abc import Iterator, Mapping

from bench.rows import Engines, Goal, Row
from bench.timing import milliseconds
from support.api import Api, keep_alive, talk
from support.engine import Engine
from support.waiting import eventually

NOTE = """\
The daemon runs with live restore, and containers go on while it is replaced. Its first answer is
timed from the start of its process. When it ends, clients are there that wait for what doesn't
come: for events, for a container's end, for more of a log."""
STOPPED, RUNNING = 500, 50
_ROUNDS = 3
_NOTHING_COMES = (
    "GET /events",
    "POST /containers/r0/wait",
    "GET /containers/r1/logs?follow=1&stdout=1",
)


def daemon(engines: Mapping[Engines, Engine]) -> Iterator[Row]:
    """Both rows."""
    starts: dict[Engines, float] = {}
    ends: dict[Engines, float] = {}
    for name, engine in engines.items():
        engine.add_flags("--live-restore")
        engine.stop()
        engine.start()
        _populate(engine)
        begun, ended = zip(*(_replaced(engine) for _ in range(_ROUNDS)), strict=True)
        starts[name], ends[name] = statistics.median(begun), statistics.median(ended)
        _clear(engine.api)
    what = f"{STOPPED} stopped and {RUNNING} running containers"
    yield Row(f"start to the first answer, {what}", "ms", starts, Goal(2000, of_dockerd=False))
    yield Row(
        f"SIGTERM to exit with live restore, {what}", "ms", ends, Goal(1000, of_dockerd=False)
    )


def _populate(engine: Engine) -> None:
    with contextlib.closing(keep_alive(engine.socket)) as connection:
        config = {"Image": "busybox", "HostConfig": {"NetworkMode": "none"}}
        for number in range(STOPPED + RUNNING):
            name = f"s{number}" if number < STOPPED else f"r{number - STOPPED}"
            made = {**config, "Cmd": ["sleep", "100000"]}
            talk(connection, "POST", f"/containers/create?name={name}", made)
            if number >= STOPPED:
                talk(connection, "POST", f"/containers/{name}/start")


def _replaced(engine: Engine) -> tuple[float, float]:
    """Stop and start it; return how long its start took, and its end, in milliseconds."""
    clients = [_Client(engine, *request.split(" ")) for request in _NOTHING_COMES]
    ended = milliseconds(engine.stop)
    for client in clients:
        client.thread.join()

    def start() -> None:
        engine.launch()
        eventually(engine.answers, "the daemon's first answer")

    return milliseconds(start), ended


class _Client:
    """Asks for what doesn't come, and reads until the daemon ends it."""

    def __init__(self, engine: Engine, method: str, path: str) -> None:
        self._connection = keep_alive(engine.socket)
        self._connection.request(method, path)
        self.thread = threading.Thread(target=self._read)
        self.thread.start()

    def _read(self) -> None:
        with contextlib.suppress(OSError, http.client.HTTPException):
            self._connection.getresponse().read()
        self._connection.close()


def _clear(api: Api) -> None:
    for container in api.get("/containers/json", all=1).json():
        api.remove(container["Id"])
