"""The lab: one for a module, cleared and compared with its first state after each test."""

from collections.abc import Iterator

import pytest

from support.lab import Lab


@pytest.fixture(scope="module")
def _lab(request: pytest.FixtureRequest) -> Iterator[Lab]:
    kind = request.config.getoption("--engine")
    flags = getattr(request.module, "DOCKERD_FLAGS", ()) if kind == "dockerd" else ()
    with Lab(kind, *flags) as made:
        yield made


@pytest.fixture
def lab(_lab: Lab) -> Iterator[Lab]:
    """A machine, its neighbour and the world; the engine has busybox, and no container."""
    yield _lab
    _lab.clear()


@pytest.fixture
def own_lab(request: pytest.FixtureRequest) -> Iterator[Lab]:
    """The same for one test alone, which kills the daemon."""
    with Lab(request.config.getoption("--engine")) as made:
        yield made
        made.clear()
