"""Where the code that runs is installed, and how one installation is told from the next.

A bundle's home is a directory of its version, reached by a link that an upgrade moves::

    /opt/boxship/versions/<build>/bin/boxshipd
    /opt/boxship/current          → versions/<build>

Every other home is the directory of the programs, as pip has made it.
"""

import hashlib
import os
from dataclasses import dataclass

from boxship.base.errors import NotFoundError


@dataclass(frozen=True)
class Home:
    """``programs`` is the directory to link to; ``build`` changes with the code."""

    programs: str
    build: str


def find_home(program: str) -> Home:
    """Return the home of the running ``program``. NotFoundError: boxshipd isn't beside it."""
    real = os.path.dirname(os.path.realpath(program))
    if not os.access(f"{real}/boxshipd", os.X_OK):
        raise NotFoundError(
            f"no boxshipd beside {program}: install Boxship (by pip, or from a bundle) and call "
            "its own boxship"
        )
    version = os.path.dirname(real)
    versions = os.path.dirname(version)
    current = f"{os.path.dirname(versions)}/current"
    if os.path.basename(versions) == "versions" and os.path.realpath(current) == version:
        return Home(f"{current}/bin", os.path.basename(version))
    return Home(real, _build_of(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))


def _build_of(package: str) -> str:
    """Return a digest over names, sizes and times of the package's files."""
    seen = hashlib.sha256()
    for directory, below, names in os.walk(package):
        below[:] = sorted(name for name in below if name != "__pycache__")
        for name in sorted(names):
            status = os.stat(f"{directory}/{name}")
            seen.update(f"{directory}/{name} {status.st_size} {status.st_mtime_ns}\n".encode())
    return seen.hexdigest()[:16]
