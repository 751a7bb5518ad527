"""The benchmarks. Each takes the running engines and yields rows; `CASES` names them."""

import hashlib
import subprocess
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http.client import HTTPConnection

from bench import daemons, events, files, memory, requests, steady
from bench.rows import Engines, Goal, Row
from bench.timing import medians, milliseconds
from support.api import Api, keep_alive, talk
from support.engine import Engine

Contestants = Mapping[Engines, Engine]
Case = Callable[[Contestants], Iterator[Row]]

IDLE = 50
LINES = 1_000_000
_FLOODS, _EACH = 10, 100_000


def run(engines: Contestants) -> Iterator[Row]:
    """`docker run`, with Docker's client for both."""
    actions = {
        name: partial(engine.docker, "run", "--rm", "--net=none", "busybox", "true")
        for name, engine in engines.items()
    }
    figures = medians(actions, rounds=25)
    yield Row("docker run --rm --net=none busybox true", "ms", figures, Goal(0.30))


def api(engines: Contestants) -> Iterator[Row]:
    """A container's life over the API, without a client process."""
    with_connection = {name: keep_alive(engine.socket) for name, engine in engines.items()}
    actions = {name: partial(_life, connection) for name, connection in with_connection.items()}
    figures = medians(actions, rounds=25)
    for connection in with_connection.values():
        connection.close()
    yield Row("API: create + start + wait + remove", "ms", figures, Goal(0.25))


def _life(connection: HTTPConnection) -> None:
    config = {"Image": "busybox", "Cmd": ["true"], "HostConfig": {"NetworkMode": "none"}}
    container = talk(connection, "POST", "/containers/create", config)["Id"]
    talk(connection, "POST", f"/containers/{container}/start")
    assert talk(connection, "POST", f"/containers/{container}/wait")["StatusCode"] == 0
    talk(connection, "DELETE", f"/containers/{container}")


def execute(engines: Contestants) -> Iterator[Row]:
    """`docker exec` in a running container."""
    for engine in engines.values():
        engine.api.start(engine.api.create("target", Cmd=["sleep", "100000"]))
    actions = {
        name: partial(engine.docker, "exec", "target", "true") for name, engine in engines.items()
    }
    figures = medians(actions, rounds=25)
    for engine in engines.values():
        engine.api.remove("target")
    yield Row("docker exec c true", "ms", figures, Goal(0.50))


def ps(engines: Contestants) -> Iterator[Row]:
    """The list of containers from the command line, each engine with its own client."""
    own = {
        name: partial(engine.boxship if name is Engines.BOXSHIP else engine.docker, "ps")
        for name, engine in engines.items()
    }
    figures = medians(own, rounds=25)
    yield Row("boxship ps / docker ps, end to end", "ms", figures, Goal(120, of_dockerd=False))


def idle(engines: Contestants) -> Iterator[Row]:
    """Memory of the engine itself, and what each idle container adds to it."""
    yield Row(
        "idle engine, RSS of all its processes",
        "MB",
        {name: memory.rss(engine.processes()) for name, engine in engines.items()},
        Goal(80, of_dockerd=False),
    )
    growth = {name: _growth_per_container(engine) for name, engine in engines.items()}
    yield Row(
        f"PSS per idle container, of {IDLE}, its own processes not counted",
        "MB",
        growth,
        Goal(1.0, of_dockerd=False),
    )


def _growth_per_container(engine: Engine) -> float:
    before = memory.pss(engine.processes())
    names = [f"idle-{number}" for number in range(IDLE)]
    for name in names:
        engine.api.start(engine.api.create(name, Cmd=["sleep", "100000"]))
    contained = set(engine.inhabitants())
    assert len(contained) >= IDLE, "the containers' processes must be told from the engine's"
    after = memory.pss(pid for pid in engine.processes() if pid not in contained)
    for name in names:
        engine.api.remove(name)
    return (after - before) / IDLE


def logs(engines: Contestants) -> Iterator[Row]:
    """A container that prints as fast as it can, and reading all of it back."""
    written, read = {}, {}
    for name, engine in engines.items():
        written[name], read[name] = _flood(engine, unlimited=name is Engines.BOXSHIP)
    what = f"{LINES:,} lines of 80 bytes"
    yield Row(f"{what}: start to end of the container", "ms", written, Goal(1.0))
    yield Row(f"{what}: docker logs to /dev/null", "ms", read, Goal(1.0))
    for driver in ("json-file", "local"):
        together = {name: _floods(engine, driver) for name, engine in engines.items()}
        what = f"{_FLOODS} containers that print {_EACH:,} lines each to {driver}"
        yield Row(what, "ms", together, Goal(1.0))


def _floods(engine: Engine, driver: str) -> float:
    """Milliseconds until all lines of containers that print at once are in their logs."""
    text = b"".join(b"%079d\n" % number for number in range(_EACH))
    source = engine.home / "lines"
    source.write_bytes(text)
    names = [f"flood-{number}" for number in range(_FLOODS)]
    # Enough for either driver to keep every line, and never a rotation.
    limits = {"Type": driver, "Config": {"max-size": "1g"}}
    for name in names:
        host = {"Binds": [f"{source}:/lines:ro"], "LogConfig": limits}
        engine.api.create(name, Cmd=["cat", "/lines"], HostConfig=host)
    with ThreadPoolExecutor(_FLOODS) as clients:
        took = milliseconds(lambda: list(clients.map(partial(_run_to_end, engine.api), names)))
    for name in names:
        delivered = engine.docker.run("logs", name).out.encode()
        assert delivered == text, f"{name}: {len(delivered)} bytes instead of {len(text)}"
        engine.api.remove(name)
    return took


def _flood(engine: Engine, *, unlimited: bool) -> tuple[float, float]:
    """Milliseconds to print all lines and to read them; every line must come once and in order."""
    text = b"".join(b"%079d\n" % number for number in range(LINES))
    source = engine.home / "lines"
    source.write_bytes(text)
    # dockerd's logs have no limit unless told, and it takes no word for "none".
    options = (
        {"LogConfig": {"Type": "json-file", "Config": {"max-size": "-1"}}} if unlimited else {}
    )
    flood = engine.api.create(
        "flood", Cmd=["cat", "/lines"], HostConfig={"Binds": [f"{source}:/lines:ro"]} | options
    )
    printing = milliseconds(partial(_run_to_end, engine.api, flood))
    with open("/dev/null", "wb") as nowhere:
        reading = milliseconds(
            lambda: subprocess.run(
                [engine.docker.program, "-H", f"unix://{engine.socket}", "logs", "flood"],
                stdout=nowhere,
                check=True,
            )
        )
    delivered = engine.docker.run("logs", "flood").out.encode()
    complete = hashlib.sha256(delivered).digest() == hashlib.sha256(text).digest()
    assert complete, f"{len(delivered)} bytes of logs are not the {len(text)} that were printed"
    engine.api.remove("flood")
    return printing, reading


def _run_to_end(client: Api, container: str) -> None:
    client.start(container)
    client.wait(container)


def crowd(engines: Contestants) -> Iterator[Row]:
    """Many containers by several clients at once."""
    figures = {}
    for name, engine in engines.items():
        figures[name] = milliseconds(partial(_start_many, engine.api))
        for number in range(IDLE):
            engine.api.remove(f"crowd-{number}")
    yield Row(f"{IDLE} containers created and started by 8 clients", "ms", figures)


def _start_many(client: Api) -> None:
    with ThreadPoolExecutor(8) as clients:
        list(clients.map(partial(_start_one, client), range(IDLE)))


def _start_one(client: Api, number: int) -> None:
    client.start(client.create(f"crowd-{number}", Cmd=["sleep", "100000"]))


CASES: Mapping[str, Case] = {
    "idle": idle,  # first, while the engines are fresh
    "run": run,
    "api": api,
    "exec": execute,
    "ps": ps,
    "logs": logs,
    "crowd": crowd,
}

API: Mapping[str, Case] = {
    "requests": requests.requests,
    "events": events.events,
    "cp": files.files,
    "health": steady.health,
    "stats": steady.stats,
}
DAEMON: Mapping[str, Case] = {"daemon": daemons.daemon}
"""By itself: the engines are restarted, and go on with live restore."""
NOTES: Mapping[str, str] = {
    "Daemon": daemons.NOTE,
    "API": """\
Requests are made by Python's http.client over one unix connection that stays, with 200 running
containers and 20 images; the client's own work is in the figures. Trees are copied by Docker's
client for both, into a container that was never started. Of a core's share, the daemon's own
process is counted, not what runs in containers.""",
}
