"""Checkpoint and restore through the program ``criu``: its command lines, and what it says.

::

    <images>/*.img               criu's own
    <images>/descriptors.json    what 0, 1 and 2 were, as runc has it: ``["pipe:[12]", …]``

What comes from outside of the container has a name in the images: a mount, that of its place
inside; a pipe of the standard streams, its own; a namespace joined by its path, ``extRootNetNS``.
Restoring says what is there instead.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Sequence

from boxship.base.errors import BoxshipError, InvalidArgumentError, UnavailableError
from boxship.oci.runtime import Spec
from boxship.runtime.blueprint import CgroupPlan, directory_of
from boxship.runtime.cli.syntax import Arguments

DUMP_LOG, RESTORE_LOG, DESCRIPTORS = "dump.log", "restore.log", "descriptors.json"
MODES = ("soft", "full", "strict", "ignore")

_PATIENCE = ("--timeout", "60")
"""Seconds to stop the processes in; a busy machine may need more than criu's own 10."""
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


def work_of(arguments: Arguments, images: str) -> str:
    """Return the absolute directory of the log."""
    return os.path.abspath(arguments.text("work-path") or images)


def common_options(arguments: Arguments, images: str, log: str) -> list[str]:
    """Return the options that dumping and restoring share; raise InvalidArgumentError."""
    work = work_of(arguments, images)
    os.makedirs(work, 0o700, exist_ok=True)
    options = ["--images-dir", images, "--work-dir", work, "--log-file", log, "-v4", *_PATIENCE]
    options += [option for name, option in _SWITCHES.items() if arguments.switch(name)]
    mode = arguments.text("manage-cgroups-mode") or "soft"
    if mode not in MODES:
        raise InvalidArgumentError(
            f"--manage-cgroups-mode: {mode!r} is not one of {', '.join(MODES)}"
        )
    options.append(f"--manage-cgroups={mode}")
    for kind in arguments.texts("empty-ns"):
        if kind not in ("network", "net"):
            raise InvalidArgumentError(f"--empty-ns: {kind!r}: criu has network alone")
        options += ["--empty-ns", "net"]
    return options


def freezer_of(cgroup: CgroupPlan) -> list[str]:
    """Have criu stop the processes by the cgroup, that none forks meanwhile."""
    path = directory_of(cgroup, "freezer") or directory_of(cgroup, "")
    return ["--freeze-cgroup", path] if path else []


def joined_namespaces(spec: Spec) -> list[tuple[str, str]]:
    """Return (name in the images, path) of namespaces that are not the container's own.

    criu knows how to leave those of the network and of pids to others.
    """
    names = {"network": ("net", "extRootNetNS"), "pid": ("pid", "extRootPidNS")}
    return [
        (f"{names[one.type][0]}:{names[one.type][1]}", one.path)
        for one in spec.linux.namespaces
        if one.type in names and one.path
    ]


def save_descriptors(images: str, pid: int) -> None:
    """Note what the standard streams are."""
    content = [os.readlink(f"/proc/{pid}/fd/{number}") for number in range(3)]
    with open(f"{images}/{DESCRIPTORS}", "w", encoding="utf-8") as stream:
        json.dump(content, stream)


def inherited_streams(images: str) -> list[tuple[int, str]]:
    """Return (our descriptor, name in the images) of the standard streams that were pipes."""
    path = f"{images}/{DESCRIPTORS}"
    try:
        with open(path, encoding="utf-8") as stream:
            content = json.load(stream)
        return [(fd, was) for fd, was in enumerate(content) if was.startswith("pipe:")]
    except FileNotFoundError:
        raise InvalidArgumentError(f"--image-path: {images} has no checkpoint of ours") from None
    except (ValueError, AttributeError) as error:
        raise InvalidArgumentError(f"{path}: is damaged: {error}") from None


def run_criu(
    program: str,
    arguments: Sequence[str],
    log: str,
    *,
    inherited: Sequence[int] = (),
    before: Callable[[], None] | None = None,
) -> None:
    """Run criu; raise BoxshipError with the errors of its log, the cause and the last.

    ``before`` is called in its process, which has ``inherited`` open.
    """
    try:
        result = subprocess.run(
            [program, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            check=False,
            pass_fds=inherited,
            preexec_fn=before,
        )
    except subprocess.SubprocessError:  # which does not say what ``before`` has raised
        words = "its place (mount namespace, root, cgroups) cannot be made"
        raise BoxshipError(f"criu {arguments[0]} cannot be started: {words}") from None
    if result.returncode:
        said = _errors(log) or result.stderr.decode(errors="replace").strip() or "no word of why"
        raise BoxshipError(f"criu {arguments[0]} failed: {said} (log: {log})")


def _errors(log: str) -> str:
    try:
        with open(log, encoding="utf-8", errors="replace") as stream:
            errors = [line[line.index("Error") :].strip() for line in stream if "Error" in line]
    except FileNotFoundError:
        return ""
    return "; ".join(dict.fromkeys(errors[:1] + errors[-2:]))
