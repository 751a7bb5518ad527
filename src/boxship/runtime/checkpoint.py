"""Save a container through CRIU, and bring it back as the child of a shim.

::

    <images>/boxship.json     what restoring has to know: descriptors 0, 1 and 2 as they were, the
                              mounts whose files are not the container's own
    <images>/*.img            CRIU's

What comes from outside of the container, CRIU is told by a name when it saves, and by a place when
it restores: pipes of the standard streams, whose other ends are the new shim's, and mounts. The
root itself is mounted anew, in a mount namespace of the starter's own: what the container has
written to it is not in the images.
"""

import contextlib
import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from signal import SIGKILL
from typing import Any, Final

from boxship.base.errors import BoxshipError, UnavailableError
from boxship.base.files import write_atomic
from boxship.base.frozen import dataclass, replace
from boxship.kernel import processes
from boxship.runtime import steps
from boxship.runtime.apply import Setup, StepError, walk
from boxship.runtime.blueprint import Plan, RestorePlan, directory_of
from boxship.runtime.cgroups import control, tree
from boxship.runtime.kernel import LINUX
from boxship.runtime.process import Spawned, StepFailedError, Timing

SAVED: Final = "boxship.json"
_PATIENCE: Final = 50.0
_COMMON: Final = (
    "-v4", "--timeout=45", "--tcp-established", "--ext-unix-sk", "--file-locks", "--manage-cgroups",
)  # fmt: skip
_ROOT_STEPS: Final = (steps.SetPropagation, steps.MountOverlay, steps.MountDirectory)


class CriuError(BoxshipError):
    """CRIU could not; the text is what it said."""


@dataclass(frozen=True, slots=True)
class Saved:
    """What is known of a container that was saved."""

    descriptors: tuple[str, ...]
    """``/dev/null`` or ``pipe:[123]``, of 0, 1 and 2."""
    mounts: tuple[str, ...]
    """Where mounts from outside were."""


def find_criu() -> str:
    """Return the program's path. UnavailableError: it is not installed."""
    found = shutil.which("criu")
    if found is None:
        raise UnavailableError("criu is not installed, which checkpoints need: apt install criu")
    return found


# ── saving ───────────────────────────────────────────────────────────────────────────────────


def dump(plan: Plan, pid: int, images: str, log: str, *, leave_running: bool) -> None:
    """Save the container whose init is ``pid`` to the directory ``images``; else CriuError.

    It ends thereby unless it is left running. ``log`` is a path, for what CRIU says.
    """
    program = find_criu()
    external = tuple(target for target, _ in outside(plan, f"/proc/{pid}/root"))
    descriptors = tuple(os.readlink(f"/proc/{pid}/fd/{n}") for n in range(3))
    content = {"descriptors": descriptors, "mounts": external}
    write_atomic(f"{images}/{SAVED}", json.dumps(content).encode(), durable=False)
    words = ["dump", "--tree", str(pid), *_COMMON, "--root", _mountpoint(plan)]
    words += ["--timeout", str(int(_PATIENCE) - 5)]  # for all processes to stop
    if freezer := directory_of(plan.cgroup, "freezer") or directory_of(plan.cgroup, ""):
        words += ["--freeze-cgroup", freezer]  # or one could fork faster than CRIU looks
    words += [word for t in external for word in ("--external", f"mnt[{t}]:{t}")]
    if leave_running:
        words.append("--leave-running")
    _run(program, words, images, log)


def read_saved(images: str) -> Saved:
    """Return what ``dump`` has noted. Raise OSError or ValueError."""
    with open(f"{images}/{SAVED}", encoding="utf-8") as stream:
        content = json.load(stream)
    try:
        return Saved(tuple(content["descriptors"]), tuple(content["mounts"]))
    except (KeyError, TypeError) as error:
        raise ValueError(f"{images}/{SAVED}: not a checkpoint of ours") from error


def outside(plan: Plan, root: str, *, everything: bool = False) -> Iterator[tuple[str, str]]:
    """Yield where in the container there are mounts from outside, and from where they are.

    ``root`` is where the container's files can be seen: paths are masked that are there, or
    with ``everything``, that may be.
    """
    for step in plan.setup:
        if isinstance(step, steps.BindMount):
            yield step.target, step.source
        elif isinstance(step, steps.MountCgroup1):
            for name, source in step.hierarchies:
                yield f"{step.target}/{name}", source
        elif isinstance(step, steps.MaskPaths):
            for path in step.paths:
                if everything or (os.path.exists(root + path) and not os.path.isdir(root + path)):
                    yield path, os.devnull


def _mountpoint(plan: Plan) -> str:
    return next(step.mountpoint for step in plan.setup if isinstance(step, steps.MountedRoot))


# ── restoring ────────────────────────────────────────────────────────────────────────────────


def restoring(plan: Plan, images: str, log: str) -> Plan:
    """Return the plan of a restart from ``images``: of ``plan``, what CRIU does not do itself.

    OSError or ValueError: there is no checkpoint of ours.
    """
    saved = read_saved(images)
    sources = dict(outside(plan, ""))
    external = tuple((target, sources.get(target, os.devnull)) for target in saved.mounts)
    setup = (
        steps.Unshare(("mnt",)),
        *(step for step in plan.setup if isinstance(step, _ROOT_STEPS)),
    )
    restore = RestorePlan(images, log, saved.descriptors, external)
    return replace(plan, setup=setup, restore=restore)


def spawn_init(plan: Plan, streams: tuple[int, int, int]) -> Spawned:
    """Restore the container; its init will be a child of our parent when we end.

    Raise StepFailedError when that cannot be, and leave nothing.
    """
    restore = plan.restore
    assert restore is not None
    begun = time.monotonic_ns()
    try:
        program = find_criu()
        walk(plan.setup, Setup(LINUX, lambda _: None))
        tree.create(plan.cgroup)
        pid = _restore(program, plan, restore, streams)
    except BaseException as error:
        with contextlib.suppress(BoxshipError, OSError):
            control.kill_and_remove(plan.cgroup)
        raise _refusal(error) from error
    timing = Timing("restore", begun, time.monotonic_ns())
    return Spawned(pid, -1, -1, (), (timing,))


def _restore(program: str, plan: Plan, restore: RestorePlan, streams: tuple[int, int, int]) -> int:
    pid_file = f"{os.path.dirname(restore.log)}/restored.pid"
    _remove(pid_file)
    words = ["restore", "--restore-detached", "--restore-sibling", "--pidfile", pid_file]
    words += [*_COMMON, "--root", _mountpoint(plan)]
    words += [w for target, at in restore.mounts for w in ("--external", f"mnt[{target}]:{at}")]
    inherited = []
    for fd, was in zip(streams, restore.descriptors, strict=False):
        if was.startswith("pipe:"):
            words += ["--inherit-fd", f"fd[{fd}]:{was}"]
            inherited.append(fd)
    command = [program, *words, *_places(restore.images, restore.log)]
    complaints = os.memfd_create("criu")
    try:
        _run_as_sibling(command, inherited, complaints)
        with open(pid_file, encoding="ascii") as stream:
            return int(stream.read())
    except FileNotFoundError:
        raise CriuError(
            _failure("restore", restore.log, os.pread(complaints, 1 << 16, 0))
        ) from None
    finally:
        os.close(complaints)
        _remove(pid_file)


def _run_as_sibling(command: Sequence[str], inherited: Sequence[int], complaints: int) -> None:
    """Run CRIU as a child of our parent, who becomes that of the container's init thereby.

    It must be: init was told to die with its parent, and CRIU tells it again, while we are about to
    end. How CRIU itself ended, only our parent could learn; what counts is the file it writes.
    """
    null = os.open(os.devnull, os.O_RDWR)
    pid = processes.fork_sibling()
    if pid == 0:
        try:
            for target, fd in enumerate((null, null, complaints)):
                os.dup2(fd, target)
            for fd in inherited:
                os.set_inheritable(fd, True)
            os.execve(command[0], list(command), os.environ)
        finally:
            os._exit(127)
    os.close(null)
    pidfd = os.pidfd_open(pid)
    try:
        poller = select.poll()
        poller.register(pidfd, select.POLLIN)
        if not poller.poll(_PATIENCE * 1000):
            os.kill(pid, SIGKILL)
            raise CriuError(f"criu restore took more than {_PATIENCE:.0f} s")
    finally:
        os.close(pidfd)


def _remove(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


def _refusal(error: BaseException) -> BaseException:
    if isinstance(error, StepError):
        return StepFailedError(error.step, error.errno, error.message, error.exit_code)
    if isinstance(error, (BoxshipError, OSError, ValueError)):
        return StepFailedError("restore", 0, str(error))
    return error


# ── the program ──────────────────────────────────────────────────────────────────────────────


def _run(program: str, words: Sequence[str], images: str, log: str) -> None:
    try:
        done = subprocess.run(
            [program, *words, *_places(images, log)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=_PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise CriuError(f"criu {words[0]} took more than {_PATIENCE:.0f} s (log: {log})") from None
    if done.returncode:
        raise CriuError(_failure(words[0], log, done.stderr))


def _places(images: str, log: str) -> list[str]:
    work, name = os.path.split(log)
    return ["--images-dir", images, "--work-dir", work, "--log-file", name]


def _failure(verb: str, log: str, complaints: bytes) -> str:
    said = _said(log) or _errors(complaints.decode(errors="replace").splitlines())
    return f"criu {verb} failed: {said or 'without a word'} (log: {log})"


def _said(log: str) -> str:
    try:
        with open(log, encoding="utf-8", errors="replace") as stream:
            return _errors(stream)
    except FileNotFoundError:
        return ""


def _errors(lines: Any) -> str:
    """Return the first error, which is the cause, and the last, which is what it led to."""
    errors = [line[line.index("Error") :].strip() for line in lines if "Error" in line]
    return "; ".join(dict.fromkeys(errors[:1] + errors[-1:]))
