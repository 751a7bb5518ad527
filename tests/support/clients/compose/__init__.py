"""docker-compose 1.29, in Python and from before 2021, and compose 2.26: a project of two services.

With a network, a volume, a bind mount, a published port, a health check and who waits for it; it is
brought up, looked at, scaled, changed, stopped and taken down, the same for both.
"""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from support.clients.telling import Scene
from support.programs import required

_HERE = Path(__file__).parent
_TRIXIE = Path(__file__).parents[4] / ".cache/trixie/docker-compose"
_PATIENCE = 100


@dataclass(frozen=True)
class Compose:
    """One of the two: its program, and what stands between the parts of a container's name."""

    program: str
    joint: str


def composes() -> dict[str, Compose]:
    """By version; a program that is not there is the caller's to skip."""
    plugin = _TRIXIE / "usr/libexec/docker/cli-plugins/docker-compose"
    return {"1.29": Compose("docker-compose", "_"), "2.26": Compose(str(plugin), "-")}


_CHANGED = {"GREETING": "good evening"}


def drive(version: str, scene: Scene, *, briefly: bool = False) -> None:
    """Bring the project up, scale it, change it, take it down; not ``briefly``: do all one does."""
    compose = composes()[version]
    project = _Project(required(compose.program), scene)
    web, visitor = (
        f"shop{compose.joint}{service}{compose.joint}" for service in ("web", "visitor")
    )
    try:
        _up(project, web, visitor)
        if not briefly:
            _looked_at(project, web)
        _scaled(project, visitor)
        if not briefly:
            _paused(project, visitor)
        _changed(project)
        if not briefly:
            _stopped(project)
    finally:
        project.run("down", "--volumes", "--timeout=0", "--remove-orphans")
    scene.same("what is left", project.run("ps", "--quiet"), "")


def _up(project: "_Project", web: str, visitor: str) -> None:
    scene = project.scene
    scene.has("up --detach", project.does("up", "--detach"), web + "1", visitor + "1")
    scene.same("exec", project.run("exec", "-T", "visitor", "ls", "/data"), "visited")


def _looked_at(project: "_Project", web: str) -> None:
    scene = project.scene
    scene.has("config", project.run("config", "--services").split(), "web", "visitor")
    scene.has("ps", project.run("ps"), web + "1", "healthy")
    scene.has("logs", project.run("logs", "--no-color"), "welcome to the shop")
    scene.same("port web 80", project.run("port", "web", "80"), "0.0.0.0:6080")
    scene.has("top", project.run("top"), "httpd -f -p 80", "sleep 1000")
    scene.has("images", project.run("images"), "busybox")
    again = project.does("up", "--detach")
    scene.holds("up again changes nothing", again, "reat" not in again)


def _scaled(project: "_Project", visitor: str) -> None:
    scene = project.scene
    scene.has("up --scale visitor=3", project.does("up", "-d", "--scale=visitor=3"), visitor + "3")
    seen = project.run("exec", "-T", "--index=2", "visitor", "wget", "-qO-", "http://www/")
    scene.has("exec in the second, by the alias of web", seen, "welcome to the shop")
    project.run("up", "-d", "--scale=visitor=1")
    scene.same("up --scale visitor=1: how many", len(project.run("ps", "--quiet").split()), 2)


def _paused(project: "_Project", visitor: str) -> None:
    scene = project.scene
    scene.has("pause", project.does("pause", "visitor"), visitor + "1")
    scene.has("unpause", project.does("unpause", "visitor"), visitor + "1")
    scene.has("restart", project.does("restart", "--timeout=0", "visitor"), visitor + "1")


def _changed(project: "_Project") -> None:
    scene = project.scene
    scene.has("up, with another environment", project.does("up", "-d", **_CHANGED), "ecreat")
    said = project.run("exec", "-T", "web", "sh", "-c", "echo $GREETING", **_CHANGED)
    scene.same("exec sh -c 'echo $GREETING'", said, "good evening")


def _stopped(project: "_Project") -> None:
    scene = project.scene
    once = project.run("run", "--rm", "-T", "--no-deps", "visitor", "echo", "once", **_CHANGED)
    scene.same("run --rm", once, "once")
    project.run("stop", "--timeout=0", **_CHANGED)
    running = project.run("ps", "--services", "--filter=status=running")
    scene.same("stop; running are", running, "")
    project.run("start", **_CHANGED)
    scene.has("start", project.run("ps", **_CHANGED), "Up")
    project.run("kill", **_CHANGED)
    project.run("rm", "--force", **_CHANGED)
    scene.same("kill, rm", project.run("ps", "--all", "--quiet"), "")


class _Project:
    """The project in this directory, as one of the two sees it."""

    def __init__(self, program: str, scene: Scene) -> None:
        self.scene = scene
        self.said = ""
        """What the last command wrote on both streams."""
        self._command = [program, f"--file={_HERE / 'compose.yaml'}", "--project-name=shop"]

    def run(self, *words: str, **environment: str) -> str:
        """A command; it must succeed. Its output; progress is in `said`."""
        done = subprocess.run(
            [*self._command, *words],
            env={**os.environ, "DOCKER_HOST": f"unix://{self.scene.socket}", **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
            check=False,
        )
        self.said = done.stdout + done.stderr
        if done.returncode:
            self.scene.holds(" ".join(words), self.said, holds=False)
        return done.stdout.strip()

    def does(self, *words: str, **environment: str) -> str:
        """The same, and what it said of its progress as well."""
        self.run(*words, **environment)
        return self.said
