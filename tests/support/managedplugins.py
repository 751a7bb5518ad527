"""Directories that ``plugin create`` makes plugins of, and what enabled ones are asked.

The program is ``volumeprogram.py``, run by this machine's Python, which the plugin has mounted.
"""

import http.client
import json
import os
import shutil
import socket
import sys
from pathlib import Path
from typing import Any

from support.engine import Engine

_PROGRAM = Path(__file__).with_name("volumeprogram.py")
_EXAMPLES = Path(__file__).parents[2] / "examples"
_SOURCES = Path(__file__).parents[2] / "src"
SOCKET = "v.sock"
OFFERED = "/mnt/volumes"


def plugin_directory(place: Path, **changes: object) -> str:
    """Make the directory of a plugin; ``changes`` replace members of its configuration."""
    shutil.copy(_PROGRAM, _rootfs(place) / "volumeprogram.py")
    (place / "config.json").write_text(json.dumps(config() | changes))
    return str(place)


def config() -> dict[str, Any]:
    """What it is by default: it may mount, and offers what it mounts."""
    return {
        "description": "volumes in directories",
        "documentation": "https://example.org",
        "entrypoint": [
            _PYTHON,
            "-I",
            "/volumeprogram.py",
            f"/run/docker/plugins/{SOCKET}",
            OFFERED,
        ],
        "interface": {"types": ["docker.volumedriver/1.0"], "socket": SOCKET},
        "propagatedmount": OFFERED,
        "linux": {"capabilities": ["CAP_SYS_ADMIN"]},
        "mounts": [_bind(path) for path in _places()],
        "env": [{"name": "DEBUG", "settable": ["value"], "value": "0"}],
        "args": {"name": "args", "settable": ["value"], "value": []},
    }


def packed_example(place: Path, example: str) -> str:
    """Make the directory of one of the plugins in ``examples/``; its Python is this machine's."""
    source, root = _EXAMPLES / example, _rootfs(place)
    for program in source.glob("*.py"):
        shutil.copy(program, root)
    told = json.loads((source / "config.json").read_text())
    told["entrypoint"][0] = _PYTHON
    packages = [*_places(), str(_SOURCES), *(p for p in sys.path if p.endswith("site-packages"))]
    told["mounts"] = [_bind(path) for path in dict.fromkeys(packages)]
    path = ":".join(packages[len(_places()) :])
    told["env"] = [{"name": "PYTHONPATH", "value": path}]
    (place / "config.json").write_text(json.dumps(told))
    return str(place)


def ask(engine: Engine, plugin: str, call: str, **wish: object) -> Any:
    """Ask an enabled plugin on its socket."""
    plugin_id = engine.api.get(f"/plugins/{plugin}/json").json()["Id"]
    connection = http.client.HTTPConnection("plugin", timeout=20)
    connection.sock = socket.socket(socket.AF_UNIX)
    try:
        connection.sock.connect(str(engine.exec / "plugins/s" / plugin_id[:12] / SOCKET))
        connection.request("POST", f"/{call}", json.dumps(wish))
        return json.loads(connection.getresponse().read())
    finally:
        connection.close()


def _rootfs(place: Path) -> Path:
    """Make an empty root, in which this machine's programs find their libraries."""
    root = place / "rootfs"
    root.mkdir(parents=True)
    for name in ("lib", "lib64", "bin", "sbin"):
        (root / name).symlink_to(f"usr/{name}")
    return root


_PYTHON = os.path.realpath(sys.executable)


def _places() -> list[str]:
    own = os.path.realpath(sys.base_prefix)
    return ["/usr"] if own.startswith("/usr/") or own == "/usr" else ["/usr", own]


def _bind(path: str) -> dict[str, object]:
    return {"type": "bind", "source": path, "destination": path, "options": ["rbind", "ro"]}
