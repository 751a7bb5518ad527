"""Short requests on one connection that stays, by Python's http.client, as its programs make them.

Every engine has the same: 200 running containers, a fifth of them with labels and mounts, and 20
images. What a request takes is shown for 1,000 of them, the client's own work included.
"""

import io
import tarfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http.client import HTTPConnection

from bench.rows import Engines, Goal, Row
from bench.timing import medians
from support.api import Api, keep_alive
from support.engine import Engine

CONTAINERS = 200
IMAGES = 20
_CLIENTS = 8
_ROUNDS = 15

# Path → how many of it are one measurement.
_REQUESTS: Mapping[str, int] = {
    "/_ping": 500,
    "/version": 300,
    "/containers/requests-0/json": 200,
    "/images/json": 100,
    "/containers/json": 20,
    "/containers/json?all=1&limit=1": 200,
    "/containers/json?size=1": 5,
}


def requests(engines: Mapping[Engines, Engine]) -> Iterator[Row]:
    """Rows of the answers that a client asks for again and again."""
    for engine in engines.values():
        _populate(engine.api)
    connections = {name: keep_alive(engine.socket) for name, engine in engines.items()}
    for path, count in _REQUESTS.items():
        actions = {
            name: partial(_repeat, connection, path, count)
            for name, connection in connections.items()
        }
        taken = medians(actions, rounds=_ROUNDS)
        figures = {name: time * 1000 / count for name, time in taken.items()}
        yield Row(f"1,000 times GET {path}", "ms", figures, Goal(1.0))
    for connection in connections.values():
        connection.close()
    for engine in engines.values():
        _clear(engine.api)


def _repeat(connection: HTTPConnection, path: str, count: int) -> None:
    """Ask and read, without decoding: that is the client's own time."""
    for _ in range(count):
        connection.request("GET", f"/v1.41{path}")
        response = connection.getresponse()
        response.read()
        assert response.status == 200, path


def _populate(api: Api) -> None:
    for number in range(IMAGES):
        reply = api.post(
            "/images/create", _archive(number), fromSrc="-", repo=f"requests-{number}", tag="1"
        )
        assert reply.status == 200, reply.body
    with ThreadPoolExecutor(_CLIENTS) as clients:
        list(clients.map(partial(_start, api), range(CONTAINERS)))


def _archive(number: int) -> bytes:
    """A file that tells images apart."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as tar:
        member = tarfile.TarInfo("number")
        member.size = len(text := b"%d\n" % number)
        tar.addfile(member, io.BytesIO(text))
    return data.getvalue()


def _start(api: Api, number: int) -> None:
    more = {"Labels": {"project": "bench", "number": str(number)}} if number % 5 == 0 else {}
    host = {"Tmpfs": {"/scratch": ""}} if number % 5 == 0 else {}
    api.start(api.create(f"requests-{number}", Cmd=["sleep", "100000"], HostConfig=host, **more))


def _clear(api: Api) -> None:
    with ThreadPoolExecutor(_CLIENTS) as clients:
        list(clients.map(lambda n: api.remove(f"requests-{n}"), range(CONTAINERS)))
    for number in range(IMAGES):
        assert api.delete(f"/images/requests-{number}:1").status == 200
