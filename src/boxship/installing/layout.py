"""Where an installation has what, below ``--root`` and ``--prefix``.

::

    <prefix>/bin/boxship, boxshipd, boxship-runtime   links to the programs, if they are elsewhere
    <prefix>/bin/docker                               with --docker-alias
    <prefix>/lib/boxship/installed.json               what has been put where (manifest.py)
    <units>/boxship.socket, boxship.service
    <prefix>/share/…                                  completion and manual pages, as they are given
    /etc/systemd/system/*.wants/                      links to the units: they are enabled
    /etc/boxship/                                     for daemon.json, which is never written here
"""

import os
from dataclasses import dataclass

PROGRAMS = ("boxship", "boxshipd", "boxship-runtime")
ENABLED = (("sockets.target", "boxship.socket"), ("multi-user.target", "boxship.service"))

_OF_THE_ADMINISTRATOR = "/etc/systemd/system"
_LOOKED_THROUGH = ("/usr", "/usr/local")
"""Below these prefixes systemd looks for units by itself."""


@dataclass(frozen=True)
class Layout:
    """``root`` is where the machine's files are as we see them; all else is as the machine does."""

    root: str = "/"
    prefix: str = "/usr/local"

    @property
    def units(self) -> str:
        if self.prefix in _LOOKED_THROUGH:
            return f"{self.prefix}/lib/systemd/system"
        return _OF_THE_ADMINISTRATOR

    @property
    def manifest(self) -> str:
        return f"{self.prefix}/lib/boxship/installed.json"

    @property
    def configuration(self) -> str:
        return "/etc/boxship"

    @property
    def is_this_machine(self) -> bool:
        return self.root == "/"

    def program(self, name: str) -> str:
        return f"{self.prefix}/bin/{name}"

    def wants(self, target: str, unit: str) -> str:
        return f"{_OF_THE_ADMINISTRATOR}/{target}.wants/{unit}"

    def outside(self, path: str) -> str:
        """Return where the machine's ``path`` is for us."""
        return path if self.is_this_machine else os.path.join(self.root, path.lstrip("/"))

    def inside(self, path: str) -> str:
        """Return what the machine calls our ``path``; one outside its root keeps its name."""
        if self.is_this_machine or not path.startswith(f"{self.root}/"):
            return path
        return path[len(self.root) :]
