"""`pull` by Docker's client and by ours, from Debian's registry: what is there, what is said."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.cli import Cli
from support.engine import Engine
from support.registries import RegistryServer
from support.tars import Member, tar

pytestmark = [pytest.mark.privileged, pytest.mark.boxshipd]

USER, SECRET = "me", "s3cret"


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    """One of our own: it keeps connections to registries, which the shared one is not to have."""
    with Engine() as engine:
        engine.load("busybox")
        yield engine


@pytest.fixture
def docker(engine: Engine) -> Cli:
    return engine.docker


@pytest.fixture
def boxship(engine: Engine) -> Cli:
    return engine.boxship


@pytest.fixture(scope="module")
def registry() -> Iterator[RegistryServer]:
    with RegistryServer() as server:
        yield server


@pytest.fixture
def name(registry: RegistryServer, engine: Engine) -> Iterator[str]:
    """An image that the registry has and the engine has not: busybox by another name."""
    name = f"{registry.host}/lib/tool:1"
    pushed(engine, name)
    engine.docker("rmi", name)
    yield name
    engine.docker.run("rmi", "-f", name)


def pushed(engine: Engine, name: str) -> None:
    engine.docker("tag", "busybox", name)
    engine.docker("push", "-q", name)


def image(engine: Engine, name: str) -> dict[str, object]:
    found: dict[str, object] = engine.api.get(f"/images/{name}/json").json()
    return found


def without_digest(text: str) -> list[str]:
    return re.sub(r"sha256:[0-9a-f]{64}", "<digest>", text).splitlines()


def test_an_image_comes_back_the_same(engine: Engine, docker: Cli, name: str) -> None:
    before = image(engine, "busybox")
    assert without_digest(docker("pull", name)) == [
        "1: Pulling from lib/tool",
        "Digest: <digest>",
        f"Status: Downloaded newer image for {name}",
        name,
    ]
    assert docker("pull", name).splitlines()[-2] == f"Status: Image is up to date for {name}"
    found = image(engine, name)
    assert (found["Id"], found["RootFS"]) == (before["Id"], before["RootFS"])
    digests = found["RepoDigests"]
    assert isinstance(digests, list)
    (digest,) = (text for text in digests if text.startswith(name.rpartition(":")[0]))
    assert docker("run", "--rm", "--net=none", digest, "echo", "runs") == "runs"


def test_our_client_says_the_same_in_a_pipe(boxship: Cli, docker: Cli, name: str) -> None:
    said = docker("pull", name)
    docker("rmi", name)
    assert boxship("pull", name) == said
    assert boxship("pull", "-q", name) == docker("pull", "-q", name) == name


def test_without_a_tag_it_is_latest_or_all(boxship: Cli, docker: Cli, name: str) -> None:
    repository = name.rpartition(":")[0]
    for client in (docker, boxship):
        done = client.run("pull", repository)
        assert done.out.startswith("Using default tag: latest\n")
        missing = f"manifest for {repository}:latest not found: manifest unknown"
        assert (done.code, missing in done.err) == (1, True)
        lines = client("pull", "-a", repository).splitlines()
        assert (lines[0], lines[-1]) == ("1: Pulling from lib/tool", repository)
        assert client.run("pull", "-a", name).err.startswith("tag can't be used")


def test_run_pulls_what_is_missing(boxship: Cli, docker: Cli, name: str) -> None:
    for client in (docker, boxship):
        done = client.run("run", "--rm", "--net=none", name, "echo", "runs")
        assert (done.code, done.out) == (0, "runs\n")
        first, *_, last = done.err.splitlines()
        assert first == f"Unable to find image '{name}' locally"
        assert last == f"Status: Downloaded newer image for {name}"
        docker("rmi", name)
        never = client.run("run", "--rm", "--pull", "never", name)
        assert (never.code, "No such image" in never.err) == (125, True)
        done = client.run("run", "--rm", "--net=none", "--pull", "always", name, "true")
        assert "Pulling from lib/tool" in done.err
        docker("rmi", name)


def test_layers_are_rows_on_a_terminal(boxship: Cli, docker: Cli, engine: Engine) -> None:
    with RegistryServer() as registry:
        name = fresh_image(engine, registry)
        with boxship.on_terminal("pull", name) as terminal:
            terminal.expect(r"1: Pulling from new")
            terminal.expect(r"[0-9a-f]{12}: Pull complete")
            terminal.expect(rf"Status: Downloaded newer image for {name}")
            assert terminal.close() == 0
        docker("rmi", name)


def fresh_image(engine: Engine, registry: RegistryServer) -> str:
    """An image in the registry, whose layer the engine has not."""
    name = f"{registry.host}/new:1"
    path = f"{engine.home}/new.tar"
    Path(path).write_bytes(tar(Member("data", os.urandom(3_000_000))))
    engine.docker("import", path, name)
    engine.docker("push", "-q", name)
    engine.docker("rmi", name)
    return name


def test_with_a_password(engine: Engine, docker: Cli, boxship: Cli, tmp_path: Path) -> None:
    with RegistryServer(users={USER: SECRET}) as registry:
        name = f"{registry.host}/lib/tool:1"
        refused = engine.api.request("POST", "/images/create", query={"fromImage": name})
        assert refused.status == 500
        assert refused.json()["message"].endswith('/manifests/1": no basic auth credentials')
        arguments = ["--config", str(tmp_path)]
        login = ["login", "-u", USER, "--password-stdin", registry.host]
        assert docker.run(*arguments, *login, stdin=SECRET).code == 0
        engine.docker("tag", "busybox", name)
        for client in (docker, boxship):
            client(*arguments, "push", "-q", name)
            engine.docker("rmi", name)
            assert client(*arguments, "pull", "-q", name) == name
        engine.docker("rmi", name)
    assert SECRET not in engine.log()
