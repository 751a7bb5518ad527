"""Plugins to a registry and back: pushed, installed, upgraded, refused, by both clients."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.engine import Engine
from support.managedplugins import ask, config, plugin_directory
from support.registries import RegistryServer

pytestmark = [pytest.mark.privileged, pytest.mark.boxshipd]


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RegistryServer]:
    with RegistryServer(tmp_path_factory.mktemp("registry")) as server:
        yield server


@pytest.fixture(scope="module")
def published(
    registry: RegistryServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Engine]:
    """A daemon without plugins; two versions of one are in the registry."""
    with Engine() as engine:
        place = tmp_path_factory.mktemp("plugins")
        newer = [*config()["env"], {"name": "NEW", "value": "1"}]
        for tag, changes in (("1", {}), ("2", {"env": newer, "pidhost": True})):
            name = f"{registry.host}/me/vol:{tag}"
            directory = plugin_directory(place / tag, **changes)
            engine.docker("plugin", "create", name, directory)
            told = engine.docker("plugin", "push", name)
            assert told.startswith(f"The push refers to repository [{registry.host}/me/vol]")
            engine.docker("plugin", "rm", name)
        yield engine


@pytest.fixture
def engine(published: Engine) -> Iterator[Engine]:
    yield published
    for plugin in published.api.get("/plugins").json():
        published.api.delete(f"/plugins/{plugin['Id']}", force=1)


def settings(engine: Engine, name: str) -> list[str]:
    found: list[str] = engine.api.get(f"/plugins/{name}/json").json()["Settings"]["Env"]
    return found


@pytest.mark.parametrize("client", ["docker", "boxship"])
def test_a_plugin_is_installed_set_and_started(
    engine: Engine, registry: RegistryServer, client: str
) -> None:
    run, name = getattr(engine, client), f"{registry.host}/me/vol:1"
    told = run(
        *("plugin", "install", "--grant-all-permissions", "--alias", "vol", name), "DEBUG=5"
    ).splitlines()
    assert told[0] == f"1: Pulling from {registry.host}/me/vol"
    assert told[1].startswith("Digest: sha256:")
    assert told[-1] == f"Installed plugin {name}"
    assert ask(engine, "vol", "Test.Look")["Env"]["DEBUG"] == "5"
    shown = run("plugin", "ls", "--format", "{{.Name}} {{.Enabled}} {{.PluginReference}}")
    assert shown == f"vol:latest true {name}"
    again = run.run("plugin", "install", "--grant-all-permissions", "--alias", "vol", name)
    assert "plugin vol:latest already exists" in again.err


@pytest.mark.parametrize("client", ["docker", "boxship"])
def test_nothing_is_installed_without_a_yes(
    engine: Engine, registry: RegistryServer, client: str
) -> None:
    run, name = getattr(engine, client), f"{registry.host}/me/vol:2"
    done = run.run("plugin", "install", name, stdin="n\n")
    assert " - host pid namespace: [true]\n" in done.out
    assert " - capabilities: [CAP_SYS_ADMIN]\n" in done.out
    assert (done.code, "permission denied while installing plugin" in done.err) == (1, True)
    assert run("plugin", "ls", "-q") == ""


def test_what_was_not_agreed_to_is_refused_before_anything_is_fetched(
    engine: Engine, registry: RegistryServer
) -> None:
    path = f"/plugins/pull?remote={registry.host}/me/vol:2&name=vol"
    reply = engine.api.post(path, [])
    last = json.loads(reply.body.splitlines()[-1])
    assert last["error"].startswith("incorrect privileges: the plugin also asks for")
    assert engine.docker("plugin", "ls", "-q") == ""
    assert list((engine.data / "plugins/blobs/sha256").iterdir()) == []


@pytest.mark.parametrize("client", ["docker", "boxship"])
def test_an_upgrade_keeps_what_was_set(
    engine: Engine, registry: RegistryServer, client: str
) -> None:
    run, name = getattr(engine, client), f"{registry.host}/me/vol"
    run("plugin", "install", "--grant-all-permissions", "--alias", "vol", f"{name}:1", "DEBUG=5")
    refused = run.run("plugin", "upgrade", "--grant-all-permissions", "vol", f"{name}:2")
    assert refused.err == "the plugin must be disabled before upgrading\n"
    run("plugin", "disable", "vol")
    flags = ("--grant-all-permissions", "--skip-remote-check")
    told = run("plugin", "upgrade", *flags, "vol", f"{name}:2").splitlines()
    assert told[0] == f"Upgrading plugin vol:latest from {name}:1 to {name}:2"
    assert settings(engine, "vol") == ["DEBUG=5", "NEW=1"]
    run("plugin", "enable", "vol")
    assert ask(engine, "vol", "Test.Look")["Pid"] > 1  # with the host's processes now
    trees = list((engine.data / "plugins/snapshots").iterdir())
    assert len(trees) == 1


def test_what_is_pulled_is_pushed_with_the_same_bytes(
    engine: Engine, registry: RegistryServer
) -> None:
    name = f"{registry.host}/me/vol:1"
    flags = ("--grant-all-permissions", "--disable")
    told = engine.docker("plugin", "install", *flags, name)
    digest = next(line for line in told.splitlines() if line.startswith("Digest: "))
    pushed = engine.docker("plugin", "push", name)
    assert digest.removeprefix("Digest: ") in pushed.splitlines()[-1]


def test_what_is_no_plugin_is_named(engine: Engine, registry: RegistryServer) -> None:
    engine.load("busybox")
    image = f"{registry.host}/box:1"
    engine.docker("tag", "busybox", image)
    engine.docker("push", "-q", image)
    reply = engine.api.get("/plugins/privileges", remote=image)
    assert (reply.status, f"{image} is no plugin" in reply.message) == (400, True), reply.message
    gone = engine.api.get("/plugins/privileges", remote=f"{registry.host}/me/nope")
    assert (gone.status, "me/nope:latest not found" in gone.message) == (404, True), gone.message
    engine.docker("rmi", image, "busybox")


def test_a_directory_of_the_clients_is_a_plugin_of_ours(engine: Engine, tmp_path: Path) -> None:
    directory = plugin_directory(tmp_path / "vol")
    assert engine.boxship("plugin", "create", "--compress", "me/vol", directory) == "me/vol"
    engine.boxship("plugin", "enable", "me/vol")
    assert ask(engine, "me/vol", "Test.Look")["Words"] == []
    engine.boxship("plugin", "rm", "--force", "me/vol")
