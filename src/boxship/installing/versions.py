"""Versions beside one another, as bundles install them, and which of them nobody needs any more."""

import os
import shutil

from boxship.installing.home import Home


def superseded(home: Home) -> list[str]:
    """Return the directories of versions that are not current and that no process runs from.

    A container's shim runs from the version that started it, for as long as the container lives.
    """
    top = os.path.dirname(os.path.dirname(home.programs))
    versions = f"{top}/versions"
    if os.path.basename(os.path.dirname(home.programs)) != "current" or not os.path.isdir(versions):
        return []
    names = [name for name in sorted(os.listdir(versions)) if name != home.build]
    used = _command_lines()
    return [
        f"{versions}/{name}"
        for name in names
        if not any(f"{versions}/{name}/".encode() in line for line in used)
    ]


def forget(paths: list[str]) -> None:
    """Remove them. One that can't be removed is no error: the next call tries again."""
    for path in paths:
        shutil.rmtree(path, ignore_errors=True)


def _command_lines() -> list[bytes]:
    lines = []
    for name in os.listdir("/proc"):
        if name.isdecimal():
            try:
                with open(f"/proc/{name}/cmdline", "rb") as stream:
                    lines.append(stream.read())
            except OSError:
                continue
    return lines
