"""Some of the requests that `scripts/fuzz` makes by the thousand."""

from pathlib import Path

import pytest

from support.described import ours
from support.engine import Engine
from support.fuzz.forging import Forge
from support.fuzz.session import Session
from support.machines import World

pytestmark = [pytest.mark.privileged, pytest.mark.boxshipd]

_REQUESTS = 120


@pytest.mark.parametrize("seed", [1001])
def test_no_request_is_answered_with_a_defect(tmp_path: Path, seed: int) -> None:
    with World() as world, Engine(networks=True, namespace=world.place.path) as engine:
        engine.load("busybox")
        session = Session(engine, tmp_path, seed).prepare()
        findings = session.run(_REQUESTS)
        session.clear()
        assert findings.faults == []
        assert findings.sent == _REQUESTS
        assert "Traceback" not in engine.log()


def test_the_same_seed_makes_the_same_requests(tmp_path: Path) -> None:
    first, second, other = (Forge(ours(), seed, tmp_path) for seed in (7, 7, 8))
    some = [str(first.request()) for _ in range(300)]
    assert some == [str(second.request()) for _ in range(300)]
    assert some != [str(other.request()) for _ in range(300)]


def test_every_operation_comes_up(tmp_path: Path) -> None:
    forge = Forge(ours(), 1, tmp_path)
    made = {forge.request().operation.name for _ in range(8000)}
    assert {each.name for each in ours().operations} - made == {"SystemDescription"}


def test_no_request_names_what_is_the_hosts(tmp_path: Path) -> None:
    """The daemon is root: what is bound into containers lies in the test's own directory."""
    forge = Forge(ours(), 2, tmp_path)
    for _ in range(3000):
        request = forge.request()
        if request.operation.name == "ContainerCreate":
            body = request.body.decode("utf-8", "replace")
            assert '"Privileged": true' not in body
            assert '"OomKillDisable"' not in body
            assert '"/dev' not in body
            assert '"/etc' not in body
