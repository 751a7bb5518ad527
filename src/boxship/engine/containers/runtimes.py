"""The OCI runtimes that containers can ask for by name.

``boxship`` is the built-in one, for which no program is started. ``runc`` and containerd's name for
it are the runc on PATH, since Docker's users expect to be able to write that; everything else is
configured. What a name means is looked up at each start, so that a reload of the configuration,
or installing a program, needs no new container.
"""

import os
import shutil
from collections.abc import Mapping

from boxship.base.errors import InvalidArgumentError
from boxship.engine.settings import BUILT_IN_RUNTIME, STOCK_RUNTIMES, RuntimeProgram

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""Where programs are, too: a daemon may be started with a PATH for ordinary people."""


class Runtimes:
    """The one object about runtimes that a reload changes."""

    def __init__(self, default: str, programs: Mapping[str, RuntimeProgram]) -> None:
        self.set(default, programs)

    def set(self, default: str, programs: Mapping[str, RuntimeProgram]) -> None:
        """Take over a configuration that has been checked."""
        self.default = default
        self._programs = dict(programs)

    def program(self, name: str) -> RuntimeProgram | None:
        """Return what ``name`` runs, by an absolute path; None: nothing, it is built in.

        InvalidArgumentError: there is no such runtime.
        """
        if name == BUILT_IN_RUNTIME:
            return None
        if name in self._programs:
            wanted = self._programs[name]
            found = _on_path(wanted.path)
            return RuntimeProgram(found or os.path.abspath(wanted.path), wanted.arguments)
        if name not in STOCK_RUNTIMES:
            raise InvalidArgumentError(f"Unknown runtime specified {name}")
        found = _on_path(STOCK_RUNTIMES[name])
        if not found:
            raise InvalidArgumentError(
                f"Unknown runtime specified {name}: the program {STOCK_RUNTIMES[name]} is not on "
                f"PATH; install it, or use the built-in runtime {BUILT_IN_RUNTIME}"
            )
        return RuntimeProgram(found)


def installed_stock() -> dict[str, RuntimeProgram]:
    """Return those of Docker's own names that mean something on this machine."""
    return {name: RuntimeProgram(path) for name, path in STOCK_RUNTIMES.items() if _on_path(path)}


def _on_path(program: str) -> str:
    return shutil.which(program, path=f"{os.environ.get('PATH', '')}:{_PATH}") or ""
