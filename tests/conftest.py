"""Fixtures of the whole suite.

`engine` is one daemon for all tests that only use it; `make_engine` gives a test its own, to do
violence to. `docker` and `boxship` are clients of `engine`.
"""

import gc
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from boxship.runtime import standing
from support import programs, residue, shares
from support.cli import Cli
from support.dockerd import Dockerd
from support.engine import Engine
from support.waiting import eventually

SHARE = pytest.StashKey[shares.Share | None]()
STOCK = pytest.StashKey[residue.Account | None]()
"""What was there after the test before; None: something else has come or gone since."""


class _StockTaker:
    """Has stock taken anew once something that several tests share has been made, or has gone.

    A plugin of its own: the hooks of this file are not told of what a session's tests share.
    """

    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[object], request: pytest.FixtureRequest
    ) -> None:
        if fixturedef.scope != "function":
            request.config.stash[STOCK] = None

    def pytest_fixture_post_finalizer(
        self, fixturedef: pytest.FixtureDef[object], request: pytest.FixtureRequest
    ) -> None:
        if fixturedef.scope != "function":
            request.config.stash[STOCK] = None


# How long an example takes tells of the machine, which has other work to do.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--engine",
        choices=["boxshipd", "dockerd"],
        default="boxshipd",
        help="what end-to-end tests run against; dockerd proves that they ask for what Docker does",
    )
    parser.addoption(
        "--share", metavar="DIRECTORY", help="share the tests with other runs that are given it"
    )


def pytest_configure(config: pytest.Config) -> None:
    directory = config.getoption("--share")
    config.stash[SHARE] = shares.Share(directory) if directory else None
    config.stash[STOCK] = None
    config.pluginmanager.register(_StockTaker())


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    reasons = {}
    if os.getuid() != 0:
        reasons["privileged"] = "needs root"
    if config.getoption("--engine") == "dockerd":
        reasons["boxshipd"] = "asks for what only boxshipd does"
    for item in items:
        for marker, reason in reasons.items():
            if item.get_closest_marker(marker):
                item.add_marker(pytest.mark.skip(reason=reason))


def pytest_collection_finish() -> None:
    """What is there now stays; looking through it after each test took a third of the suite."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool | None:
    share = session.config.stash[SHARE]
    if share is None or session.testsfailed or session.config.option.collectonly:
        return None
    shares.run_share(session, share)
    return True


@pytest.fixture(scope="session", autouse=True)
def no_interpreter_left_mounted(request: pytest.FixtureRequest) -> Iterator[None]:
    """`boxship-runtime` leaves one for its next call (ADR 30); after us there is none."""
    home = standing.home_of(str(Path(sys.executable).parent / "boxship-runtime"))
    was_there = os.path.exists(home)
    yield
    share = request.config.stash[SHARE]
    if os.getuid() == 0 and not was_there and (share is None or share.has_machine):
        standing.forget(home)


@pytest.fixture(scope="session", autouse=True)
def the_hosts_firewall_stays() -> Iterator[None]:
    """Daemons with networks run in machines of their own (`support/machines.py`)."""
    before = _our_tables()
    yield
    assert _our_tables() <= before, "an engine's rules are on the host"


def _our_tables() -> set[str]:
    nft = programs.find("nft")
    if nft is None or os.getuid() != 0:
        return set()
    listed = subprocess.run([nft, "list", "tables"], capture_output=True, text=True, check=False)
    return {line for line in listed.stdout.splitlines() if "boxship" in line}


@pytest.fixture(autouse=True)
def no_thread_left_behind() -> Iterator[None]:
    """Later tests fork, and a thread in the wrong place would hang them."""
    before = set(threading.enumerate())
    yield
    for thread in set(threading.enumerate()) - before:
        thread.join(3)
    left = [thread for thread in set(threading.enumerate()) - before if thread.is_alive()]
    assert not left, f"the test left threads behind: {left}"


@pytest.fixture(autouse=True)
def nothing_left_behind(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[None]:
    """A privileged test leaves no mount, process, cgroup or descriptor."""
    stash = request.config.stash
    if not request.node.get_closest_marker("privileged"):
        stash[STOCK] = None
        yield
        return
    place = tmp_path_factory.getbasetemp()
    # Taking stock is a large part of a short test: the end of the one before will do.
    before = stash[STOCK] or residue.account(place)
    stash[STOCK] = None
    yield

    def restored() -> residue.Account | None:
        now = residue.account(place)
        return None if now.beyond(before) else now

    try:
        # What was told to end may need a moment for it.
        stash[STOCK] = eventually(restored, "the end", timeout=3)
    except AssertionError:
        left = residue.account(place).beyond(before)
        assert not left, f"the test left something behind: {left}"


@pytest.fixture(scope="session")
def _shared_engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    kinds: dict[str, Callable[[], Engine]] = {"boxshipd": Engine, "dockerd": Dockerd}
    with kinds[request.config.getoption("--engine")]() as engine:
        engine.load("busybox")
        request.config.stash[STOCK] = None  # hooks of this file are not called for the session
        yield engine


def _volumes(engine: Engine) -> set[str]:
    return {volume["Name"] for volume in engine.api.get("/volumes").json()["Volumes"] or ()}


def _images(engine: Engine) -> set[str]:
    return {image["Id"] for image in engine.api.get("/images/json", all=1).json()}


@pytest.fixture
def engine(_shared_engine: Engine) -> Iterator[Engine]:
    """A daemon with busybox loaded; after the test it holds no more than before."""
    descriptors, volumes = len(_shared_engine.descriptors()), _volumes(_shared_engine)
    images = _images(_shared_engine)
    yield _shared_engine
    for container in _shared_engine.api.get("/containers/json", all=1).json():
        _shared_engine.api.remove(container["Id"])
    for volume in _volumes(_shared_engine) - volumes:
        _shared_engine.api.delete(f"/volumes/{volume}", force=1)
    # What builds leave would be seen by the next test that lists, counts or prunes.
    for image in _images(_shared_engine) - images:
        _shared_engine.api.delete(f"/images/{image}", force=1)
    _shared_engine.api.post("/build/prune", all=1)
    # A large image is thousands of files, and a disk may take milliseconds to forget each.
    eventually(lambda: not _shared_engine.remains(), "the end of what is left", timeout=60)
    eventually(
        lambda: len(_shared_engine.descriptors()) <= descriptors,
        f"the daemon's descriptors to be {descriptors} again",
    )


@pytest.fixture
def make_engine() -> Iterator[Callable[..., Engine]]:
    """Makes daemons that the test owns; ended and checked with it."""
    made: list[Engine] = []

    def make(*flags: str) -> Engine:
        engine = Engine(*flags)
        made.append(engine)
        return engine

    yield make
    for engine in made:
        engine.close()


@pytest.fixture
def docker(engine: Engine) -> Cli:
    """Docker's own command-line client."""
    if shutil.which("docker") is None:
        pytest.skip("no docker client on PATH")
    return engine.docker


@pytest.fixture
def boxship(engine: Engine) -> Cli:
    return engine.boxship
