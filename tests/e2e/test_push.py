"""Pushes by whole programs: Docker's client and ours, and a daemon that is killed meanwhile."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from support.engine import Engine
from support.registries import RegistryServer
from support.shop import docker_archive, sample
from support.tars import Member, tar
from support.waiting import eventually

pytestmark = [pytest.mark.privileged, pytest.mark.boxshipd]

SMALL, BIG = tar(Member("small", b"small")), tar(Member("big", os.urandom(96 << 20)))


@pytest.fixture(scope="module")
def registry() -> Iterator[RegistryServer]:
    with RegistryServer() as server:
        yield server


@pytest.fixture(scope="module")
def own() -> Iterator[Engine]:
    """A daemon of our own: it may keep connections to the registry open."""
    with Engine() as engine:
        engine.load("busybox")
        yield engine


@pytest.fixture
def named(own: Engine, registry: RegistryServer) -> str:
    """A repository of the registry; busybox is its tag 1, in the daemon only."""
    name = f"{registry.host}/team/busybox"
    own.docker("tag", "busybox", f"{name}:1")
    return name


def messages(engine: Engine, name: str, tag: str) -> list[dict[str, Any]]:
    reply = engine.api.post(f"/images/{name}/push?tag={tag}")
    assert reply.status == 200, reply.message
    return [json.loads(line) for line in reply.body.splitlines() if line]


def test_dockers_client_pushes(own: Engine, named: str) -> None:
    lines = own.docker("push", f"{named}:1").splitlines()
    assert lines[0] == f"The push refers to repository [{named}]"
    assert lines[1].endswith(": Preparing")
    assert lines[-2].endswith((": Pushed", ": Layer already exists"))
    assert lines[-1].startswith("1: digest: sha256:")
    digest = lines[-1].split()[2]
    (detail,) = json.loads(own.docker("image", "inspect", f"{named}:1"))
    assert f"{named}@{digest}" in detail["RepoDigests"]


def test_our_command_line_pushes_the_same(own: Engine, named: str) -> None:
    theirs = own.docker("push", f"{named}:1").splitlines()
    ours = own.boxship("push", f"{named}:1").splitlines()
    assert (ours[0], ours[-1]) == (theirs[0], theirs[-1])
    assert ours[-2].endswith(": Layer already exists")
    assert own.boxship("push", "--quiet", f"{named}:1") == f"{named}:1"
    own.boxship("tag", "busybox", f"{named}:latest")
    assert own.boxship("push", named).startswith("Using default tag: latest\n")
    told = own.boxship("push", "--all-tags", named)
    assert [line.split()[0] for line in told.splitlines() if "digest:" in line] == ["1:", "latest:"]


@pytest.mark.parametrize("program", ["docker", "boxship"])
def test_refusals(own: Engine, named: str, program: str) -> None:
    def refused(*words: str) -> str:
        done = getattr(own, program).run(*words)
        assert done.code == 1
        return str(done.err).strip()

    repository = named.rpartition("/")[0]
    missing = f"An image does not exist locally with the tag: {repository}/none"
    assert refused("push", f"{repository}/none:1").endswith(missing)
    assert refused("push", f"{named}:7").endswith(f"tag does not exist: {named}:7")
    assert refused("push", "-a", f"{named}:1").endswith("tag can't be used with --all-tags/-a")
    platform = "does not match the specified platform (linux/riscv64)"
    assert platform in refused("push", "--platform", "linux/riscv64", f"{named}:1")


def test_a_client_that_goes_away_ends_the_push(
    own: Engine, registry: RegistryServer, tmp_path: Path
) -> None:
    name = f"{registry.host}/left"
    _load(own, f"{name}:1", tmp_path)
    before = _threads(own)
    assert _push_until(own, name, "Pushing")
    eventually(lambda: _threads(own) <= before, "the end of the push's threads")
    assert not (registry.home / "data/docker/registry/v2/repositories/left/_manifests").exists()


def test_a_push_goes_on_where_the_daemon_was_killed(
    make_engine: Callable[..., Engine], registry: RegistryServer, tmp_path: Path
) -> None:
    engine, name = make_engine(), f"{registry.host}/killed"
    engine.start()
    _load(engine, f"{name}:1", tmp_path)
    small = _push_until(engine, name, "Pushed", then=engine.kill)
    engine.start()
    told = messages(engine, name, "1")
    of_small = [message["status"] for message in told if message.get("id") == small]
    assert of_small == ["Preparing", "Layer already exists"]
    assert told[-1]["aux"]["Tag"] == "1"


def test_keep_blobs_is_a_feature_of_the_configuration(
    make_engine: Callable[..., Engine], registry: RegistryServer
) -> None:
    engine, name = make_engine("--feature=keep-blobs=true"), f"{registry.host}/kept"
    engine.start()
    engine.load("busybox")
    engine.boxship("tag", "busybox", f"{name}:1")
    used = engine.api.get("/system/df").json()["LayersSize"]
    *_, told = messages(engine, name, "1")
    manifest = json.loads(registry.blob_path(told["aux"]["Digest"]).read_bytes())
    kept = {layer["digest"].removeprefix("sha256:"): layer["size"] for layer in manifest["layers"]}
    blobs = engine.data / "blobs/sha256"
    assert {digest: (blobs / digest).stat().st_size for digest in kept} == kept
    now = engine.api.get("/system/df").json()["LayersSize"]
    assert now == used + sum(kept.values())
    assert "damaged" not in engine.boxship("system", "check")
    engine.boxship("rmi", "-f", f"{name}:1", "busybox")
    assert not any((blobs / digest).exists() for digest in kept)


def _load(engine: Engine, name: str, directory: Path) -> None:
    path = directory / "image.tar"
    path.write_bytes(docker_archive((sample(BIG, SMALL), [name])))
    engine.boxship("load", "-q", "-i", str(path))


def _push_until(
    engine: Engine, name: str, status: str, then: Callable[[], None] = lambda: None
) -> str:
    """Push, leave at the first message of this status, and return the layer it is about."""
    with engine.api.stream("POST", f"/images/{name}/push?tag=1") as lines:
        for line in lines:
            message = json.loads(line)
            if message.get("status") == status:
                then()
                return str(message["id"])
    raise AssertionError(f"nothing was {status}")


def _threads(engine: Engine) -> int:
    return len(os.listdir(f"/proc/{engine.pid}/task"))


def test_what_is_built_is_pushed(own: Engine, registry: RegistryServer, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM busybox\nLABEL pushed=yes\n")
    name = f"{registry.host}/built:1"
    done = own.boxship.run("build", "--push", "-t", name, str(tmp_path))
    assert done.code == 0, done
    assert f"pushing {name}" in done.err
    shown = own.boxship(
        "buildx", "imagetools", "inspect", "--format", "{{json .Image.config}}", name
    )
    assert '"pushed":"yes"' in shown
