"""Clients that other people wrote: each drives every kind of resource as its users would.

What they do stands in `support/clients`; `scripts/try-clients` shows it.
"""

from collections.abc import Iterator

import pytest

from support import programs
from support.clients import aio, compose, dockerode, dockerpy, testing
from support.clients.stage import Stage
from support.clients.telling import Scene

pytestmark = [
    pytest.mark.privileged,
    # docker-py leaves connections of streams to the garbage collector.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(scope="module")
def _stage(request: pytest.FixtureRequest) -> Iterator[Stage]:
    with Stage(request.config.getoption("--engine")) as stage:
        yield stage


@pytest.fixture
def scene(_stage: Stage) -> Iterator[Scene]:
    """An engine that has busybox and nothing else, and after the test nothing else again."""
    try:
        yield _stage.scene
        _stage.clear()
    finally:
        _stage.reset()


@pytest.mark.parametrize("resource", dockerpy.RESOURCES)
def test_docker_py(scene: Scene, resource: str) -> None:
    dockerpy.drive(resource, scene)


def test_docker_py_at_the_oldest_version(scene: Scene) -> None:
    """Those in between behave as one of the two; `scripts/try-clients` has them as well."""
    for resource in dockerpy.RESOURCES:
        dockerpy.drive(resource, scene, "1.24")


@pytest.mark.parametrize("resource", aio.RESOURCES)
def test_aiodocker(scene: Scene, resource: str) -> None:
    aio.drive(resource, scene)


@programs.needs("node")
@pytest.mark.parametrize("resource", dockerode.RESOURCES)
def test_dockerode(scene: Scene, resource: str) -> None:
    dockerode.drive(resource, scene)


def test_testcontainers(scene: Scene, _stage: Stage) -> None:
    testing.drive(scene, _stage.lab.machine)


@pytest.mark.parametrize("version", compose.composes())
def test_compose(scene: Scene, version: str) -> None:
    compose.drive(version, scene, briefly=True)
