"""dockerode, Node's client: `drive.js` is the script, what it needs is in `.cache/dockerode`."""

import subprocess
from pathlib import Path

from support.clients.telling import Scene, SurpriseError
from support.programs import required

_MODULES = Path(__file__).parents[4] / ".cache/dockerode/node_modules"
_PATIENCE = 60

RESOURCES = (
    "containers", "exec", "attach", "logs", "stats", "archive", "images", "registry", "volumes",
    "networks", "events", "system",
)  # fmt: skip


def drive(resource: str, scene: Scene) -> None:
    """Drive one kind of resource."""
    script = str(Path(__file__).with_name("drive.js"))
    done = subprocess.run(
        [required("node"), script, scene.socket, scene.registry, resource],
        env={"NODE_PATH": str(_MODULES)},
        capture_output=True,
        text=True,
        timeout=_PATIENCE,
        check=False,
    )
    scene.say(done.stdout.rstrip())
    if done.returncode:
        raise SurpriseError(done.stderr)
