"""Logs of every driver that keeps them: what was printed comes back, in all ways to ask for it."""

import pytest

from support.api import unframe
from support.cli import Cli
from support.engine import Engine
from support.waiting import eventually

pytestmark = pytest.mark.privileged

PRINT = "i=0; while [ $i -lt 3000 ]; do echo $i; i=$((i+1)); done"
BOTH = {"stdout": 1, "stderr": 1}
EXPECTED = [*map(str, range(3000))]


def _log_config(driver: str, **options: str) -> dict[str, object]:
    return {"LogConfig": {"Type": driver, "Config": options}}


@pytest.mark.parametrize(
    ("driver", "options"),
    [
        ("local", {}),
        ("local", {"max-size": "4k", "max-file": "20"}),
        ("local", {"max-size": "4k", "max-file": "20", "compress": "false"}),
        ("json-file", {"max-size": "40k", "max-file": "20", "compress": "true"}),
    ],
)
def test_what_was_printed_is_read_back(
    engine: Engine, docker: Cli, driver: str, options: dict[str, str]
) -> None:
    api = engine.api
    name = api.create("log", Cmd=["sh", "-c", PRINT], HostConfig=_log_config(driver, **options))
    api.start(name)
    api.wait(name)
    assert docker("logs", "log").splitlines() == EXPECTED
    assert docker("logs", "-n", "2", "log").splitlines() == EXPECTED[-2:]
    assert docker("logs", "-f", "-n", "1500", "log").splitlines() == EXPECTED[-1500:]


@pytest.mark.parametrize("driver", ["json-file", "local"])
def test_attaching_replays_what_was_written(engine: Engine, driver: str) -> None:
    api = engine.api
    script = "echo out; echo err >&2; read x; echo $x"
    name = api.create(
        "replay", Cmd=["sh", "-c", script], HostConfig=_log_config(driver), OpenStdin=True
    )
    api.start(name)
    eventually(lambda: len(unframe(api.get(f"/containers/{name}/logs", **BOTH).body)) == 2, "both")
    connection, received = api.hijack(
        f"/containers/{name}/attach", logs=1, stream=1, stdin=1, **BOTH
    )
    with connection:
        connection.sendall(b"live\n")
        while chunk := connection.recv(4096):
            received += chunk
    assert unframe(received) == {1: b"out\nlive\n", 2: b"err\n"}
    assert api.wait(name) == 0
    assert api.logs(name) == b"out\nlive\n"
