"""Logs of every driver that keeps them: what was printed comes back, in all ways to ask for it."""

import pytest

from support.cli import Cli
from support.engine import Engine

pytestmark = pytest.mark.privileged

PRINT = "i=0; while [ $i -lt 3000 ]; do echo $i; i=$((i+1)); done"
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
