"""Builds shown side by side: Docker's daemon of Debian 13 and ours, by clients that others wrote.

Run by ``scripts/try-build``. Each build is printed with what came of it, and the first surprise
ends the tour with 1.

    images     each example of `support.builds.examples`: dockerd's image and ours, config field by
               field and layers file by file; ours by docker, docker-py and `boxship build`, whose
               images are the same; each is run
    compose    docker-compose 1.29 builds a project
    digests    two daemons with clean stores make the same images, byte for byte
    large      a context of 2 GiB, and what the daemon has in memory meanwhile
    faults     the tests of builds that go wrong, by name
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import docker

from support.builds import documents
from support.builds.asking import build, building, context_of, large_context, rest
from support.builds.examples import EXAMPLES, Example, example
from support.cli import Cli
from support.clients.telling import Scene, SurpriseError
from support.dockerd import Dockerd
from support.engine import Engine
from support.machines import World
from support.parity.pair import DEBIAN_13
from support.programs import required
from support.waiting import eventually

_ROOT = Path(__file__).parents[3]
_BUILDX = _ROOT / ".cache/trixie/docker-buildx/usr/libexec/docker/cli-plugins/docker-buildx"
_FAULTS = ("tests/e2e/test_build_faults.py", "tests/e2e/test_build_secrets.py")
_MOST = 250
"""Mebibytes."""
_PATIENCE = 600.0
_BASES = ("busybox", "debian", "python")


class Tour:
    """The engines, and a voice."""

    def __init__(self, world: World, stack: ExitStack) -> None:
        self._stack = stack
        self._world = world
        self.scene = Scene("", "")
        theirs = Dockerd(namespace=world.machine().path, programs=DEBIAN_13)
        self.theirs = self._start(theirs)
        self.ours = self.another()

    def another(self) -> Engine:
        """One more of ours, with a clean store, on a machine of its own."""
        return self._start(Engine(namespace=self._world.machine().path))

    def _start(self, engine: Engine) -> Engine:
        self._stack.enter_context(engine)
        engine.load(*_BASES)
        return engine

    def images(self) -> None:
        for each in EXAMPLES:
            self._example(each)

    def _example(self, each: Example) -> None:
        print(f"\n== {each.name}")
        self._theirs(each)
        ours = self._by_docker(each)
        self._by_docker_py(each, ours)
        self._by_boxship(each)
        self._compare(each, each.tag if each.classic else _buildkits(each))
        self._runs(each)

    def _theirs(self, each: Example) -> None:
        began = time.monotonic()
        if each.classic:
            built = build(self.theirs.api, context_of(each.directory), t=each.tag)
            if built.error:
                raise SurpriseError(f"dockerd: {built}")
        else:
            arguments = ("build", "--quiet", "--load", f"--tag={each.tag}", str(each.directory))
            _cli(self.theirs, str(_BUILDX))(*arguments)
        self.scene.tell(f"dockerd builds {each.tag}", f"{time.monotonic() - began:.1f} s")

    def _by_docker(self, each: Example) -> str:
        docker_cli = _cli(self.ours, self.ours.docker.program, DOCKER_BUILDKIT="0")
        began = time.monotonic()
        done = docker_cli.run("build", f"--tag={each.tag}", str(each.directory), timeout=_PATIENCE)
        took = f"{time.monotonic() - began:.1f} s"
        self.scene.holds(f"DOCKER_BUILDKIT=0 docker build -t {each.tag}", took, done.code == 0)
        last = done.out.splitlines()[-2:]
        self.scene.has("its last lines", " / ".join(last), "Successfully tagged")
        return self._id(each)

    def _id(self, each: Example) -> str:
        return str(self.ours.api.get(f"/images/{each.tag}/json").json()["Id"])

    def _by_docker_py(self, each: Example, wanted: str) -> None:
        client = docker.DockerClient(base_url=f"unix://{self.ours.socket}", timeout=_PATIENCE)
        try:
            image, _ = client.images.build(path=str(each.directory), tag=each.tag, rm=True)
        finally:
            client.close()
        self.scene.same("docker-py: images.build(…).id", image.id, wanted)

    def _compare(self, each: Example, tag: str) -> None:
        theirs = documents.read(self.theirs.api, each.tag, each.loose)
        ours = documents.read(self.ours.api, tag, each.loose)
        found = list(documents.differences(theirs, ours))
        self.scene.same("differences from dockerd's image", found, [])

    def _runs(self, each: Example) -> None:
        done = self.ours.docker.run("run", "--rm", each.tag, *each.command)
        self.scene.has(
            f"docker run {each.tag} {' '.join(each.command)}", done.out + done.err, each.says
        )

    def _by_boxship(self, each: Example) -> None:
        boxship = _cli(self.ours, self.ours.boxship.program)
        tag = _buildkits(each)
        done = boxship.run("build", f"--tag={tag}", str(each.directory), timeout=_PATIENCE)
        self.scene.holds(f"boxship build -t {tag}", done.err[-300:], done.code == 0)
        said = self.ours.docker.run("run", "--rm", tag, *each.command)
        self.scene.has(f"docker run {tag}", said.out + said.err, each.says)

    def compose(self) -> None:
        names = ("web", "python", "heredocs")
        services = {
            n: {"build": str(example(n).directory), "image": f"composed/{n}"} for n in names
        }
        wanted = {name: self._by_docker(example(name)) for name in names}
        with tempfile.TemporaryDirectory() as place:
            file = Path(place, "docker-compose.yaml")
            file.write_text(json.dumps({"version": "3.8", "services": services}))
            # By itself, and not by the docker client, which it may start.
            compose = _cli(self.ours, required("docker-compose"), COMPOSE_DOCKER_CLI_BUILD="0")
            done = compose.run("--file", str(file), "build", timeout=_PATIENCE)
        self.scene.holds("docker-compose build", done.err[-300:] or done.out[-300:], done.code == 0)
        for name in names:
            listed = self.ours.api.get(f"/images/composed/{name}/json")
            self.scene.same(f"composed/{name}", listed.json()["Id"], wanted[name])

    def digests(self) -> None:
        other = self.another()
        for each in (example("web"), example("python")):
            data = context_of(each.directory)
            wanted = {"buildargs": json.dumps({"SOURCE_DATE_EPOCH": "1704067200"}), "nocache": 1}
            first, second = (build(e.api, data, **wanted) for e in (self.ours, other))
            self.scene.same(f"{each.name} on two machines", second.image, first.image)

    def large(self) -> None:
        began = time.monotonic()
        size = 2 << 10
        data = large_context("FROM busybox\nRUN echo begun\n", size)
        with building(self.ours, data, networkmode="none") as connection:
            answer = rest(connection)
        took = f"{time.monotonic() - began:.1f} s"
        self.scene.holds(f"a context of {size} MiB", took, b"Successfully built" in answer)
        status = Path(f"/proc/{self.ours.pid}/status").read_text()
        most = int(status.split("VmHWM:")[1].split()[0]) >> 10
        self.scene.holds("the most that the daemon had in memory", f"{most} MiB", most < _MOST)
        eventually(lambda: not self.ours.remains().get("temporary files"), "the context's end")

    def faults(self) -> None:
        command = [sys.executable, "-m", "pytest", "-v", "--no-header", "--tb=short", *_FAULTS]
        done = subprocess.run(command, cwd=_ROOT, check=False)
        self.scene.same("faults", done.returncode, 0)


def _buildkits(each: Example) -> str:
    """The name of our image that came through BuildKit's door."""
    return each.tag.replace(":latest", ":boxship")


def _cli(engine: Engine, program: str, **more: str) -> Cli:
    surroundings = {
        "DOCKER_HOST": f"unix://{engine.socket}",
        "DOCKER_CONFIG": str(engine.home / "docker"),
        "DOCKER_CLI_HINTS": "false",
        **more,
    }
    return Cli(program, surroundings)


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/try-build")
    parts: dict[str, Callable[[Tour], None]] = {
        "images": Tour.images,
        "compose": Tour.compose,
        "digests": Tour.digests,
        "large": Tour.large,
        "faults": Tour.faults,
    }
    parser.add_argument(
        "parts", nargs="*", choices=[*parts, []], metavar="PART", help=", ".join(parts)
    )
    arguments = parser.parse_args()
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    os.environ.pop("DOCKER_HOST", None)
    if shutil.which("docker") is None:
        parser.error("there is no docker client on PATH")
    with ExitStack() as stack:
        tour = Tour(stack.enter_context(World(online=True)), stack)
        for name in arguments.parts or parts:
            print(f"\n==== {name}")
            parts[name](tour)
    print("\nall as it should be")


if __name__ == "__main__":
    main()
