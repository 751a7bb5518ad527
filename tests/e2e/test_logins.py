"""Docker's own client logs in, searches and looks, with our daemon between it and registries.

The texts are those of dockerd 20.10 with the same client and registry.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.cli import Cli
from support.engine import Engine
from support.faultyregistry import Answer, FaultyRegistry
from support.registries import RegistryServer

pytestmark = [pytest.mark.privileged, pytest.mark.boxshipd]

REPOSITORIES = [
    {"name": "a/one", "description": "One", "star_count": 1, "is_official": False},
    {"name": "two", "description": "", "star_count": 30, "is_official": True},
]


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RegistryServer]:
    home = tmp_path_factory.mktemp("registry")
    with RegistryServer(home, users={"me": "secret"}) as server:
        yield server


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RegistryServer]:
    home = tmp_path_factory.mktemp("tokens")
    with RegistryServer(home, users={"me": "secret"}, tokens=True) as server:
        yield server


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    """One of our own: it keeps connections to registries, which the shared one is not to have."""
    with Engine() as engine:
        yield engine


@pytest.fixture
def docker(engine: Engine, tmp_path: Path) -> Cli:
    """Docker's client with a configuration of its own."""
    program = engine.docker.program
    return Cli(program, {"DOCKER_HOST": f"unix://{engine.socket}", "DOCKER_CONFIG": str(tmp_path)})


def log_in(docker: Cli, host: str, password: str) -> tuple[int, str]:
    done = docker.run("login", "-u", "me", "--password-stdin", host, stdin=password)
    return done.code, done.out or done.err


def test_a_login_with_a_password(docker: Cli, guarded: RegistryServer) -> None:
    assert log_in(docker, guarded.host, "secret") == (0, "Login Succeeded\n")
    assert log_in(docker, guarded.host, "wrong") == (
        1,
        f"Error response from daemon: login attempt to http://{guarded.host}/v2/ failed with "
        "status: 401 Unauthorized\n",
    )


def test_a_login_for_tokens(docker: Cli, tokens: RegistryServer, tmp_path: Path) -> None:
    assert log_in(docker, tokens.host, "secret") == (0, "Login Succeeded\n")
    kept = json.loads((tmp_path / "config.json").read_text())["auths"][tokens.host]
    assert kept["identitytoken"] == "refresh-me"
    assert log_in(docker, tokens.host, "wrong") == (
        1,
        f'Error response from daemon: Get "http://{tokens.host}/v2/": unauthorized: incorrect '
        "username or password\n",
    )


def test_a_login_where_nobody_listens(docker: Cli) -> None:
    assert log_in(docker, "127.0.0.1:1", "secret") == (
        1,
        'Error response from daemon: Get "http://127.0.0.1:1/v2/": dial tcp 127.0.0.1:1: connect: '
        "connection refused\n",
    )


def test_a_search(docker: Cli) -> None:
    body = json.dumps({"results": REPOSITORIES}).encode()
    with FaultyRegistry() as registry:
        registry.on("GET", "/v1/search", *[Answer(200, {}, body)] * 2, Answer(404))
        term = f"{registry.host}/x"
        assert docker("search", term).splitlines() == [
            "NAME      DESCRIPTION   STARS     OFFICIAL",
            "a/one     One           1         ",
            "two                     30        [OK]",
        ]
        found = docker("search", "-f", "stars=2", "--format", "{{.Name}}", term)
        assert found == "two"
        assert registry.asked[-1].path == "/v1/search?q=x&n=25"
        done = docker.run("search", term)
        assert done.err == "Error response from daemon: Unexpected status code 404\n"


def test_a_search_for_too_many(docker: Cli) -> None:
    done = docker.run("search", "--limit", "1000", "app")
    told = "Error response from daemon: limit 1000 is outside the range of [1, 100]\n"
    assert (done.code, done.err) == (1, told)


def test_what_a_registry_does_not_have(engine: Engine) -> None:
    with FaultyRegistry() as registry:
        registry.on("GET", "/manifests/", Answer(404))
        answer = engine.api.get(f"/distribution/{registry.host}/app:1/json")
        assert (answer.status, answer.json()["message"]) == (
            404,
            "manifest unknown: manifest unknown",
        )


@pytest.mark.usefixtures("guarded", "tokens")
@pytest.mark.parametrize("given", ["1 tokens", "0 guarded"])
def test_builds_use_the_clients_login(
    engine: Engine, docker: Cli, tmp_path: Path, request: pytest.FixtureRequest, given: str
) -> None:
    door, kind = given.split()
    server: RegistryServer = request.getfixturevalue(kind)
    environment = {
        "DOCKER_HOST": f"unix://{engine.socket}",
        "DOCKER_CONFIG": str(tmp_path),
        "DOCKER_BUILDKIT": door,
    }
    boxship = Cli(engine.boxship.program, environment)
    base = f"{server.host}/team/base:{door}"
    assert log_in(docker, server.host, "secret")[0] == 0
    (tmp_path / "Dockerfile").write_text("FROM scratch\nLABEL of=base\n")
    assert boxship.run("build", "-t", base, str(tmp_path)).code == 0
    boxship("push", "-q", base)
    engine.api.delete(f"/images/{base}")
    (tmp_path / "Dockerfile").write_text(f"FROM {base}\nLABEL also=this\n")
    done = boxship.run("build", "-t", "of-base", str(tmp_path))
    assert done.code == 0, done
    labels = engine.api.get("/images/of-base/json").json()["Config"]["Labels"]
    assert labels == {"of": "base", "also": "this"}
    engine.api.delete("/images/of-base")
    (tmp_path / "config.json").unlink()
    refused = boxship.run("build", "--pull", str(tmp_path))
    assert refused.code == 1, refused
