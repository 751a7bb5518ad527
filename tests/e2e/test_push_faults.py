"""Pushes to a registry in trouble, by Docker's own client."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.engine import Engine
from support.pulling import NAME, forget_images, write_archive
from support.registries import RegistryServer
from support.troubled import HangUp, Say, Troubled

pytestmark = [pytest.mark.privileged, pytest.mark.boxshipd]


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with Engine() as engine:
        archive = write_archive(tmp_path_factory.mktemp("archive"))
        engine.docker("load", "--quiet", "-i", str(archive))
        yield engine
        forget_images(engine)


@pytest.fixture(scope="module")
def other() -> Iterator[Engine]:
    """An engine that has seen none of it."""
    with Engine() as engine:
        yield engine


@pytest.fixture
def troubled(tmp_path: Path) -> Iterator[Troubled]:
    """An empty registry and the way to it."""
    with RegistryServer(tmp_path / "registry") as registry, Troubled(registry) as proxy:
        yield proxy


def pushed_name(own: Engine, troubled: Troubled) -> str:
    name = f"{troubled.host}/pushed/app:1"
    own.docker("tag", NAME, name)
    return name


def arrived(own: Engine, other: Engine, troubled: Troubled, name: str) -> None:
    """It can be pulled from there, to the byte."""
    before = own.api.get(f"/images/{name}/json").json()["Id"]
    troubled.calm()
    other.docker("pull", "--quiet", name)
    assert other.api.get(f"/images/{name}/json").json()["Id"] == before
    forget_images(other)


def test_what_is_there_is_not_sent_again(own: Engine, other: Engine, troubled: Troubled) -> None:
    name = pushed_name(own, troubled)
    own.docker("push", name)
    arrived(own, other, troubled, name)
    again = own.docker("push", name)
    assert again.count("Layer already exists") == 3
    assert not [one for one in troubled.asked if one.startswith(("PATCH", "POST"))]


@pytest.mark.parametrize("after", [0, 100_000])
def test_an_upload_that_breaks_off_is_repeated(
    own: Engine, other: Engine, troubled: Troubled, after: int
) -> None:
    name = pushed_name(own, troubled)
    troubled.on("_state=", HangUp(after), times=1)  # of the request that brings the content
    done = own.docker.run("push", name)
    assert done.code == 0, done
    arrived(own, other, troubled, name)


@pytest.mark.parametrize("status", [401, 403, 404, 500])
def test_refusals(own: Engine, other: Engine, troubled: Troubled, status: int) -> None:
    """The client is told, at once and without being asked for a password."""
    name = pushed_name(own, troubled)
    for part in ("/blobs/uploads/", "/manifests/"):
        troubled.on(part, Say(status, {"Retry-After": "0"}))
        done = own.docker.run("push", name, timeout=40)
        assert done.code == 1, done
        assert str(status) in done.err or "denied" in done.err or "not found" in done.err, done
        assert "login prior" not in done.out.lower()
        troubled.calm()
    own.docker("push", name)
    arrived(own, other, troubled, name)


def test_a_registry_that_is_busy_for_a_moment(
    own: Engine, other: Engine, troubled: Troubled
) -> None:
    name = pushed_name(own, troubled)
    troubled.on("/blobs/uploads/", Say(429, {"Retry-After": "0"}), times=1)
    assert own.docker.run("push", name).code == 0
    arrived(own, other, troubled, name)
