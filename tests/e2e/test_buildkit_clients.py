"""Stock clients of BuildKit against the daemon: buildx 0.13, compose 2.26, docker 20.10."""

import base64
import json
import os
import re
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.buildclients import BuildClients
from support.engine import Engine
from support.registries import RegistryServer
from support.waiting import eventually

pytestmark = pytest.mark.privileged


@pytest.fixture(scope="module")
def _machine() -> Iterator[Engine]:
    with Engine() as engine:
        engine.load("busybox")
        yield engine


@pytest.fixture
def clients(_machine: Engine) -> Iterator[BuildClients]:
    """Nothing stays but what is cached."""
    yield BuildClients(_machine)
    for image in _machine.api.get("/images/json").json():
        if image["RepoTags"] != ["busybox:latest"]:
            _machine.api.delete(f"/images/{image['Id']}", force=1)


@pytest.fixture
def context(tmp_path: Path) -> Path:
    place = tmp_path / "context"
    place.mkdir()
    (place / "file").write_text("content")
    return place


def build(clients: BuildClients, context: Path, *arguments: str) -> str:
    """Build with buildx; what it says goes to standard error."""
    done = clients.docker.run("buildx", "build", "--network=none", *arguments, str(context))
    assert done.code == 0, done.err
    return done.err


def test_what_is_cached_is_not_done_again(clients: BuildClients, context: Path) -> None:
    (context / "Dockerfile").write_text("FROM busybox\nCOPY . /c\nRUN cat /c/file > /made\n")
    assert "CACHED" not in build(clients, context, "-t", "one").partition("COPY")[2]
    assert build(clients, context, "-t", "two").count("CACHED") >= 3
    ids = {clients.docker("image", "inspect", "-f", "{{.Id}}", name) for name in ("one", "two")}
    assert len(ids) == 1
    (context / "file").write_text("other content")
    said = build(clients, context, "-t", "one")
    assert "CACHED" not in said.partition("COPY")[2]
    (context / "file").touch()  # the time is not the content
    assert "CACHED" in build(clients, context, "-t", "one").partition("COPY")[2]


def test_a_secret_is_seen_and_left_nowhere(
    clients: BuildClients, context: Path, _machine: Engine
) -> None:
    secret = "of-the-client-only-8c1f"
    (context / "Dockerfile").write_text(
        "FROM busybox\nRUN --mount=type=secret,id=s wc -c < /run/secrets/s > /length\n"
    )
    place = context.parent / "secret"
    place.write_text(secret)
    build(clients, context, "-t", "secretive", "--secret", f"id=s,src={place}")
    found = subprocess.run(["grep", "-rlF", secret, _machine.data, _machine.exec], check=False)
    assert found.returncode == 1


def test_an_agent_is_forwarded(clients: BuildClients, context: Path) -> None:
    """The image has this machine's ssh-add, with its libraries."""
    listed = subprocess.run(["ldd", "/usr/bin/ssh-add"], capture_output=True, text=True, check=True)
    for path in ["/usr/bin/ssh-add", *re.findall(r"/\S+", listed.stdout)]:
        target = context / f"root{path}"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    (context / "Dockerfile").write_text(
        "FROM busybox\nCOPY root /\nRUN --mount=type=ssh ssh-add -l\n"
    )
    with Agent(context.parent) as agent:
        said = build(clients, context, "--ssh", f"default={agent.socket}")
    assert "(ED25519)" in said
    arguments = ["buildx", "build", "--network=none", "--no-cache", str(context)]
    done = clients.docker.run(*arguments)
    assert done.code == 1  # nobody forwards one


class Agent:
    """An ssh-agent with one key."""

    def __init__(self, place: Path) -> None:
        self.socket = place / "agent.sock"
        self._key = place / "key"

    def __enter__(self) -> "Agent":
        self._process = subprocess.Popen(
            ["ssh-agent", "-D", "-a", self.socket], stdout=subprocess.PIPE
        )
        assert self._process.stdout is not None
        self._process.stdout.readline()  # it tells its variables once it listens
        make = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self._key)]
        subprocess.run(make, check=True)
        environment = {**os.environ, "SSH_AUTH_SOCK": str(self.socket)}
        subprocess.run(["ssh-add", "-q", self._key], env=environment, check=True)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        with self._process:
            self._process.wait(10)


def test_push_and_base_images_of_a_private_registry(clients: BuildClients, context: Path) -> None:
    (context / "Dockerfile").write_text("FROM busybox\nRUN echo base > /base\n")
    with RegistryServer(users={"me": "hush"}) as registry:
        login = base64.b64encode(b"me:hush").decode()
        clients.configure(auths={registry.host: {"auth": login}})
        name = f"{registry.host}/deep/base:1"
        said = build(clients, context, "-t", name, "--push")
        assert f"pushing {name} with docker" in said
        clients.docker("rmi", name)
        (context / "Dockerfile").write_text(f"FROM {name}\nRUN cat /base\n")
        said = build(clients, context, "--no-cache", "-t", "upon")
        assert "base\n" in said.partition("RUN cat")[2]
        clients.configure()
        done = clients.docker.run("buildx", "build", "--pull", "--no-cache", str(context))
        assert done.code == 1


def test_a_failure_shows_its_lines(clients: BuildClients, context: Path) -> None:
    (context / "Dockerfile").write_text("FROM busybox\nRUN echo before; exit 7\nRUN true\n")
    done = clients.docker.run("buildx", "build", "--network=none", str(context))
    assert done.code == 1
    assert "Dockerfile:2" in done.err
    assert "2 | >>> RUN echo before; exit 7" in done.err
    assert "exit code: 7" in done.err


def test_a_context_from_standard_input(clients: BuildClients, context: Path) -> None:
    (context / "Dockerfile").write_text("FROM busybox\nCOPY file /f\nRUN cat /f\n")
    archive = context.parent / "context.tar"
    with tarfile.open(archive, "w", format=tarfile.GNU_FORMAT) as tar:
        tar.add(context, ".")
    with archive.open("rb") as body:
        done = subprocess.run(
            [clients.docker.program, "buildx", "build", "--network=none", "-t", "tarred", "-"],
            stdin=body,
            capture_output=True,
            text=True,
            env={**os.environ, **clients.environment},
            timeout=60,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert "content" in done.stderr


def test_bake_builds_one_target_upon_another(clients: BuildClients, context: Path) -> None:
    (context / "Dockerfile").write_text("FROM busybox\nRUN echo base > /base\n")
    targets = {
        "base": {"context": str(context), "network": "none"},
        "app": {
            "context": str(context),
            "network": "none",
            "contexts": {"below": "target:base"},
            "dockerfile-inline": "FROM below\nRUN cat /base > /copied\n",
            "tags": ["app"],
        },
    }
    place = context.parent / "bake.json"
    place.write_text(json.dumps({"target": targets}))
    clients.docker("buildx", "bake", "-f", str(place), "app")
    assert clients.docker("run", "--rm", "--network=none", "app", "cat", "/copied") == "base"


def test_compose_builds_its_services(clients: BuildClients, context: Path) -> None:
    (context / "Dockerfile").write_text("FROM busybox\nARG WORD\nRUN echo $WORD > /word\n")
    services = {
        "web": {"build": {"context": str(context), "network": "none", "args": {"WORD": "a"}}},
        "two": {
            "build": {
                "context": str(context),
                "network": "none",
                "dockerfile_inline": "FROM busybox\nRUN echo two > /word\n",
            },
            "image": "second",
        },
    }
    place = context.parent / "compose.json"
    place.write_text(json.dumps({"name": "made", "services": services}))
    clients.docker("compose", "-f", str(place), "build")
    for image, word in (("made-web", "a"), ("second", "two")):
        assert clients.docker("run", "--rm", "--network=none", image, "cat", "/word") == word


def test_docker_20_10_builds_over_a_session(clients: BuildClients, context: Path) -> None:
    docker = clients.docker_20_10()
    (context / "Dockerfile").write_text(
        "FROM busybox\nCOPY file /f\nRUN --mount=type=secret,id=s cat /run/secrets/s | wc -c\n"
    )
    iid, secret = context.parent / "iid", context.parent / "secret"
    secret.write_text("four")
    arguments = ["build", "--network=none", "-t", "older", "--iidfile", str(iid)]
    done = docker.run(*arguments, "--secret", f"id=s,src={secret}", str(context))
    assert done.code == 0, done.err
    assert " 4\n" in done.err
    assert iid.read_text() == docker("image", "inspect", "-f", "{{.Id}}", "older")
    said = docker.run("build", "--network=none", "-", stdin="FROM busybox\nRUN exit 9\n")
    assert said.code == 1
    assert "exit code: 9" in said.err


def test_a_local_cache_travels_as_blobs(clients: BuildClients, context: Path) -> None:
    (context / "Dockerfile").write_text("FROM busybox\nRUN echo $((6 * 7)) > /local\n")
    cache = context.parent / "cache"
    build(clients, context, "--cache-to", f"type=local,dest={cache}")
    index = json.loads((cache / "index.json").read_text())
    assert len(index["manifests"]) == 1
    clients.docker("buildx", "prune", "--all", "--force")
    said = build(clients, context, "--cache-from", f"type=local,src={cache}")
    assert "CACHED" in said.partition("RUN echo")[2]


def test_results_go_to_the_client(clients: BuildClients, context: Path) -> None:
    (context / "Dockerfile").write_text(
        "FROM busybox AS made\nRUN mkdir -p /d/e && echo text > /d/e/f && ln -s e/f /d/link\n"
        "FROM scratch\nCOPY --from=made /d /d\n"
    )
    place = context.parent
    build(clients, context, "-o", str(place / "files"))
    assert (place / "files/d/e/f").read_text() == "text\n"
    assert os.readlink(place / "files/d/link") == "e/f"
    build(clients, context, "-o", f"type=tar,dest={place}/files.tar")
    with tarfile.open(place / "files.tar") as tar:
        assert {"d/e/f", "d/link"} <= {name.removeprefix("./") for name in tar.getnames()}
    build(clients, context, "-t", "out:1", "-o", f"type=docker,dest={place}/image.tar")
    clients.docker("load", "-i", str(place / "image.tar"))
    assert clients.docker("image", "inspect", "-f", "{{len .RootFS.Layers}}", "out:1") == "1"
    build(clients, context, "-o", f"type=oci,tar=false,dest={place}/layout")
    (manifest,) = json.loads((place / "layout/index.json").read_text())["manifests"]
    assert (place / "layout/blobs/sha256" / manifest["digest"].removeprefix("sha256:")).exists()


def test_a_client_that_is_killed_ends_its_step(
    clients: BuildClients, context: Path, _machine: Engine
) -> None:
    (context / "Dockerfile").write_text("FROM busybox\nRUN echo begun; sleep 3000\n")
    before = len(_machine.descriptors())
    process = clients.buildx().start("build", "--network=none", str(context))
    with process:
        assert process.stderr is not None
        assert any(b"begun" in line for line in process.stderr if b"RUN" not in line)
        assert _machine.inhabitants()
        process.kill()
    eventually(lambda: not _machine.inhabitants(), "the end of the step")
    eventually(lambda: not _machine.remains(), "the end of what it leaves")
    eventually(lambda: len(_machine.descriptors()) <= before, "closed connections")


def test_a_layout_of_the_client_is_a_base(clients: BuildClients, context: Path) -> None:
    (context / "Dockerfile").write_text("FROM busybox\nRUN echo below > /below\n")
    layout = context.parent / "layout"
    build(clients, context, "-o", f"type=oci,tar=false,dest={layout}", "--provenance=false")
    (context / "Dockerfile").write_text("FROM base\nRUN cat /below; echo it is\n")
    said = build(clients, context, "--build-context", f"base=oci-layout://{layout}")
    assert "below\n" in said.partition("RUN cat")[2]


def test_who_builds_is_told(clients: BuildClients) -> None:
    assert "+boxship" in clients.docker("buildx", "inspect")
    assert "default" in clients.docker("buildx", "ls")
