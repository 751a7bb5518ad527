"""The OCI runtimes that the daemon is tested with, and stand-ins for them that fail."""

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from boxship.runtime.cgroups.layout import host_layout
from support.programs import required

BUILT_IN = "boxship"
_OURS = Path(sys.executable).parent / "boxship-runtime"
_CRUN_WITHOUT_CGROUP2 = """
exec unshare --mount --propagation unchanged sh -c \
    'mount --make-private {above} && umount {unified} && exec {crun} "$@"' crun "$@"
"""


def require(name: str) -> None:
    """A test with that runtime begins; where there is none it ends here (`programs.py`)."""
    if name not in (BUILT_IN, "ours"):
        required(name)


def flags(home: Path) -> list[str]:
    """The daemon's flags for all that there are; scripts are written to ``home``."""
    programs = {"ours": str(_OURS)}
    if crun := shutil.which("crun"):
        layout = host_layout()
        # crun refuses a machine where cgroup2 has controllers beside those of v1.
        is_hybrid = layout.version != 2 and bool(layout.unified)
        above = os.path.dirname(layout.unified)
        text = _CRUN_WITHOUT_CGROUP2.format(above=above, unified=layout.unified, crun=crun)
        programs["crun"] = script(home / "crun", text) if is_hybrid else crun
    return [f"--add-runtime={name}={path}" for name, path in programs.items()]


def script(path: Path, text: str, values: Mapping[str, str] | None = None) -> str:
    """Write a shell script that is a runtime; return its path."""
    assigned = "".join(f"{name}='{value}'\n" for name, value in (values or {}).items())
    path.write_text(f"#!/bin/sh\n{assigned}{text}\n")
    path.chmod(0o755)
    return str(path)
