"""Dockerfiles as people write them, in `tests/build/dockerfiles`, and how one sees that they work.

Their bases are Debian's and busybox, the archives of `support.images`.
"""

from dataclasses import dataclass, field
from pathlib import Path

HOME = Path(__file__).parents[2] / "build" / "dockerfiles"


@dataclass(frozen=True)
class Example:
    """A directory with a Dockerfile, and what its image says when it is run."""

    name: str
    command: tuple[str, ...]
    says: str
    classic: bool = True
    """Whether Docker's classic builder knows all that is in it."""
    online: bool = False
    """It installs Debian packages."""
    loose: tuple[str, ...] = field(default=("var/cache/", "var/log/", "var/lib/dpkg/", "etc/ld.so"))
    """Files whose sizes are anybody's: they have times in them."""

    @property
    def directory(self) -> Path:
        return HOME / self.name

    @property
    def tag(self) -> str:
        return f"try-build/{self.name}:latest"


EXAMPLES = (
    Example("web", ("cat", "/www/html/index.html"), "<p>index</p>"),
    Example("python", (), "hello world from 0.1 as 999"),
    Example("onbuild-base", ("pwd",), "/usr/src/app"),
    Example("onbuild-app", (), "app would install flask==3.0"),
    Example("c", ("6", "7"), "42", online=True),
    Example("static", (), "static dev", online=True),
    Example("nginx", ("nginx", "-v"), "nginx version: nginx/1.22", online=True),
    Example("redis", ("redis-server", "--version"), "Redis server v=7.0", online=True),
    Example("node", ("node", "dist/server.js", "--once"), "hello from node", online=True),
    Example("heredocs", (), "several lines", classic=False),
    Example("mounts", (), "main", classic=False),
)
"""In an order in which each finds the images it stands on."""


def example(name: str) -> Example:
    return next(each for each in EXAMPLES if each.name == name)
