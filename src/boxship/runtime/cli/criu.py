"""Checkpoint and restore through the program ``criu``: its command lines, and what it says.

Mounts that come from outside of the root are named by where they are inside, in a table that is
saved with the images, so that the restored container is given the new ones.
"""

import os
import shutil
import subprocess
from collections.abc import Sequence

from boxship.base.errors import BoxshipError, UnavailableError
from boxship.runtime.cli.syntax import Arguments

DUMP_LOG, RESTORE_LOG = "dump.log", "restore.log"

_SWITCHES = {
    "tcp-established": "--tcp-established",
    "ext-unix-sk": "--ext-unix-sk",
    "shell-job": "--shell-job",
    "file-locks": "--file-locks",
    "lazy-pages": "--lazy-pages",
    "auto-dedup": "--auto-dedup",
}


def find_criu(name: str) -> str:
    """Return criu's path; raise UnavailableError."""
    found = shutil.which(name)
    if found is None:
        raise UnavailableError(f"{name}: not found; install criu to checkpoint and restore")
    return found


def images_of(arguments: Arguments) -> str:
    """Return the absolute directory of the images."""
    return os.path.abspath(arguments.text("image-path") or "checkpoint")


def common_options(arguments: Arguments, images: str, log: str) -> list[str]:
    """Return the options that dumping and restoring share."""
    work = os.path.abspath(arguments.text("work-path") or images)
    os.makedirs(work, 0o700, exist_ok=True)
    options = ["--images-dir", images, "--work-dir", work, "--log-file", log, "-v4"]
    options += [option for name, option in _SWITCHES.items() if arguments.switch(name)]
    mode = arguments.text("manage-cgroups-mode") or "soft"
    options.append(f"--manage-cgroups={mode}")
    return options


def run_criu(
    program: str, arguments: Sequence[str], log: str, inherited: Sequence[int] = ()
) -> None:
    """Run criu; raise BoxshipError with the last error of its log."""
    result = subprocess.run(
        [program, *arguments], stdin=subprocess.DEVNULL, check=False, pass_fds=inherited
    )
    if result.returncode:
        raise BoxshipError(f"criu {arguments[0]} failed: {_last_error(log)} (log: {log})")


def _last_error(log: str) -> str:
    try:
        with open(log, encoding="utf-8", errors="replace") as stream:
            errors = [line.strip() for line in stream if "Error" in line]
    except FileNotFoundError:
        return "no log"
    return errors[-1] if errors else "no error in the log"
