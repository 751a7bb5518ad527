"""Docker's own clients of builders, as Debian's packages have them, bound to one engine.

buildx 0.13 and compose 2.26 are Debian 13's, as plugins of the ``docker`` that is there; the
``docker`` of Debian 12 is 20.10, the last that builds over sessions by itself.
"""

import json
import subprocess
from pathlib import Path

from support.cli import Cli
from support.engine import Engine
from support.programs import required

_CACHE = Path(__file__).parents[2] / ".cache"
_PLUGINS = {
    package: str(_CACHE / "trixie" / package / "usr/libexec/docker/cli-plugins")
    for package in ("docker-buildx", "docker-compose")
}
_PLACES = ("/usr/bin/docker", str(_CACHE / "bin/docker"))


class BuildClients:
    """`docker` with plugins, without them as of 20.10, and what they are configured with."""

    def __init__(self, engine: Engine) -> None:
        for name, place in _PLUGINS.items():
            required(f"{place}/{name}")
        self._engine = engine
        self.environment = {
            "DOCKER_HOST": f"unix://{engine.socket}",
            "DOCKER_CONFIG": str(engine.home / "docker"),
            "HOME": str(engine.home),
            "BUILDKIT_PROGRESS": "plain",
        }
        self.configure()
        self.docker = Cli(required("docker"), self.environment)

    def configure(self, **more: object) -> None:
        """Write `config.json`, with the plugins and these keys."""
        place = self._engine.home / "docker/config.json"
        place.write_text(json.dumps({"cliPluginsExtraDirs": [*_PLUGINS.values()], **more}))

    def with_variables(self, **variables: str) -> Cli:
        """`docker` with more in its environment."""
        return Cli(self.docker.program, {**self.environment, **variables})

    def buildx(self) -> Cli:
        """The plugin as a program of its own: who kills it kills all there is."""
        return Cli(f"{_PLUGINS['docker-buildx']}/docker-buildx", self.environment)

    def docker_20_10(self) -> Cli:
        """`docker` of Debian 12, made to build over a session."""
        for place in _PLACES:
            if Path(place).exists() and " 20.10." in _version(place):
                return Cli(place, {**self.environment, "DOCKER_BUILDKIT": "1"})
        raise AssertionError("no docker of Debian 12 here: scripts/setup brings it")


def _version(program: str) -> str:
    return subprocess.run(
        [program, "--version"], capture_output=True, text=True, check=True
    ).stdout.replace("version ", " ")
