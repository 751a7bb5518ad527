"""The containers under one ``--root``, and what is kept of each.

::

    <root>/                     0711
    ├── .new-<creator>/         becomes <id>, by a rename that decides which of two creators wins
    └── <id>/                   0700
        ├── creator             whose creation it was: <pid>-<start time>-<at random>
        ├── cgroups             for who finds no record: paths, controllers, hierarchies
        ├── state.json          the record, replaced whole; absent while the container is made
        ├── exec.fifo           there until start: init waits for a byte on it
        └── outcome.fifo        there until start: init says here why it could not execute

The record is what was decided; whether the container runs is asked of the kernel every time.
"""

import errno
import os

from boxship.base import jsontext
from boxship.base.errors import (
    BoxshipError,
    ConflictError,
    InvalidArgumentError,
    NotFoundError,
    UnavailableError,
)
from boxship.base.files import write_atomic
from boxship.base.frozen import dataclass
from boxship.base.suppress import suppress
from boxship.oci.runtime import Hook
from boxship.runtime.blueprint import CgroupDirectory, CgroupPlan, ProcessPlan
from boxship.runtime.hooks import HookState
from boxship.runtime.steps import CODEC

EXEC_FIFO, OUTCOME_FIFO = "exec.fifo", "outcome.fifo"
CREATING, CREATED, RUNNING, PAUSED, STOPPED = "creating", "created", "running", "paused", "stopped"

_STATE = "state.json"
_TAKEN = "container with given ID already exists"
_CREATOR, _CGROUPS = "creator", "cgroups"
_MAX_ID = 255  # a file name has no room for more
_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+-.")


@dataclass(frozen=True, slots=True)
class Record:
    """A container, as it was made. ``start_time`` (clock ticks) tells its pid from a later one."""

    oci_version: str
    container_id: str
    pid: int
    start_time: int
    bundle: str
    rootfs: str
    created: str
    owner: str
    process: ProcessPlan
    cgroup: CgroupPlan
    annotations: dict[str, str]
    poststart: tuple[Hook, ...] = ()
    poststop: tuple[Hook, ...] = ()
    systemd_unit: str = ""

    @property
    def hook_state(self) -> HookState:
        return HookState(self.oci_version, self.container_id, self.bundle, self.annotations)


class UnreadableRecordError(BoxshipError):
    """The record is not one that we wrote whole."""


class Store:
    """Finds, adds and removes containers."""

    def __init__(self, root: str) -> None:
        self.root = root

    def directory(self, container_id: str) -> str:
        """Return the container's directory; raise InvalidArgumentError for an impossible id."""
        good = 0 < len(container_id) <= _MAX_ID and _LETTERS.issuperset(container_id)
        if not good or container_id in (".", ".."):
            raise InvalidArgumentError(f"invalid container ID format: {container_id!r}")
        return f"{self.root}/{container_id}"

    def check_free(self, container_id: str) -> None:
        """Raise ConflictError when the id is taken; that it is free ``add`` alone can tell."""
        if os.path.lexists(self.directory(container_id)):
            raise ConflictError(_TAKEN)

    def add(self, container_id: str, creator: str, cgroup: CgroupPlan) -> str:
        """Claim an id and return its new directory."""
        path = self.directory(container_id)
        fresh = f"{self.root}/.new-{creator}"
        try:
            os.makedirs(self.root, 0o711, exist_ok=True)
            os.mkdir(fresh, 0o700)
            os.symlink(creator, f"{fresh}/{_CREATOR}")
            _write_cgroups(f"{fresh}/{_CGROUPS}", cgroup)
            os.rename(fresh, path)
        except OSError as error:
            remove_directory(fresh)
            if error.errno in (errno.ENOTEMPTY, errno.EEXIST) and os.path.isdir(self.root):
                raise ConflictError(_TAKEN) from None
            raise UnavailableError(f"{path}: {error.strerror}") from None
        return path

    def belongs_to(self, container_id: str, creator: str) -> bool:
        """Tell whether the directory is the one that ``creator`` claimed."""
        try:
            return os.readlink(f"{self.directory(container_id)}/{_CREATOR}") == creator
        except OSError:
            return False

    def cgroups_of_remains(self, container_id: str) -> CgroupPlan | None:
        """Return the cgroups of what was not made to the end, or has lost its record.

        None when there is nothing of that id; raise ConflictError while somebody is at it.
        """
        directory = self.directory(container_id)
        if not os.path.isdir(directory):
            return None
        if not os.path.exists(f"{directory}/{_STATE}") and (pid := _creator_at_work(directory)):
            raise ConflictError(f"container is being created by process {pid}")
        return _read_cgroups(f"{directory}/{_CGROUPS}")

    def forget_claim(self, creator: str) -> None:
        """Remove what is left of a claim that was never made."""
        remove_directory(f"{self.root}/.new-{creator}")

    def save(self, record: Record) -> None:
        """Write the record, replacing an earlier one."""
        path = f"{self.directory(record.container_id)}/{_STATE}"
        data = jsontext.dumps(CODEC.to_plain(record), compact=True).encode()
        write_atomic(path, data, mode=0o600, durable=False)

    def load(self, container_id: str) -> Record:
        """Return the record; raise NotFoundError, or UnreadableRecordError."""
        path = f"{self.directory(container_id)}/{_STATE}"
        try:
            with open(path, "rb") as stream:
                text = stream.read()
        except (FileNotFoundError, NotADirectoryError):
            raise NotFoundError("container does not exist") from None
        try:
            return CODEC.from_plain(Record, jsontext.loads(text))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise UnreadableRecordError(
                f"{path} is damaged ({error}); `delete --force` removes the container"
            ) from None

    def ids(self) -> list[str]:
        """Return the ids of all containers that have been made."""
        try:
            names = sorted(os.listdir(self.root))
        except FileNotFoundError:
            return []
        return [name for name in names if os.path.exists(f"{self.root}/{name}/{_STATE}")]

    def owner(self, container_id: str) -> str:
        """Return the name, or the number, of who made the container."""
        import pwd

        uid = os.stat(self.directory(container_id)).st_uid
        try:
            return pwd.getpwuid(uid).pw_name
        except KeyError:
            return f"#{uid}"

    def remove(self, container_id: str) -> None:
        """Remove the directory; a missing one is no error."""
        remove_directory(self.directory(container_id))

    def status(self, record: Record) -> str:
        """Ask the kernel what the container is doing."""
        if not is_alive(record.pid, record.start_time):
            return STOPPED
        if _is_paused(record.cgroup):
            return PAUSED
        return CREATED if self._is_waiting(record) else RUNNING

    def _is_waiting(self, record: Record) -> bool:
        """Tell whether the container's process has not been started yet.

        That init holds the FIFO says more than that it is there, which a start that was killed
        has not ended.
        """
        path = f"{self.directory(record.container_id)}/{EXEC_FIFO}"
        try:
            os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC))
        except OSError as error:
            if error.errno not in (errno.ENXIO, errno.ENOENT):
                raise
            return False
        return True


def remove_directory(path: str) -> None:
    """Remove a flat directory with its files; a missing one is no error."""
    try:
        names = os.listdir(path)
    except FileNotFoundError:
        return
    # The record last: until then who is killed in the middle can begin again.
    for name in sorted(names, key=_STATE.__eq__):
        try:
            os.unlink(f"{path}/{name}")
        except FileNotFoundError:
            continue
    with suppress(FileNotFoundError):
        os.rmdir(path)


def _creator_at_work(directory: str) -> int:
    """Return the creator's pid if it is still alive, else 0."""
    try:
        pid, start_time, _ = os.readlink(f"{directory}/{_CREATOR}").split("-")
    except OSError:  # removed in part already
        return 0
    return int(pid) if is_alive(int(pid), int(start_time)) else 0


def _write_cgroups(path: str, cgroup: CgroupPlan) -> None:
    fields = (
        (one.path, ",".join(one.controllers), "unified" if one.unified else "")
        for one in cgroup.directories
        if not one.keep
    )
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.write(fd, "\n".join(map("\t".join, fields)).encode())
    finally:
        os.close(fd)


def _read_cgroups(path: str) -> CgroupPlan:
    try:
        with open(path, encoding="utf-8") as stream:
            rows = [line.rstrip("\n").split("\t") for line in stream]
    except FileNotFoundError:
        return CgroupPlan()
    return CgroupPlan(
        tuple(
            CgroupDirectory("", row[0], tuple(row[1].split(",")) if row[1] else (), bool(row[2]))
            for row in rows
            if len(row) == 3
        )
    )


def start_time_of(pid: int) -> int:
    """Return when a process started, in clock ticks after boot; 0 when there is none."""
    state, start_time = _stat(pid)
    return start_time if state else 0


def is_alive(pid: int, start_time: int) -> bool:
    """Tell whether the very process runs; a zombie does not."""
    state, started = _stat(pid)
    return state not in ("", "Z", "X") and started == start_time


def open_init(record: Record) -> int:
    """Return a pidfd of the container's first process. Raise ConflictError when it has ended.

    Between a look at the process and its use the number may have come to mean another one, into
    whose namespaces, the host's perhaps, an exec would go. So the look comes after the opening.
    """
    try:
        pidfd = os.pidfd_open(record.pid)
    except ProcessLookupError:
        raise ConflictError("container not running") from None
    if not is_alive(record.pid, record.start_time):
        os.close(pidfd)
        raise ConflictError("container not running")
    return pidfd


def _stat(pid: int) -> tuple[str, int]:
    try:
        with open(f"/proc/{pid}/stat", "rb") as stream:
            # The name, in parentheses, may hold anything.
            fields = stream.read().rpartition(b")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return "", 0
    return fields[0].decode(), int(fields[19])


def _is_paused(cgroup: CgroupPlan) -> bool:
    from boxship.runtime.cgroups import control

    try:
        return control.is_paused(cgroup)
    except OSError:
        return False
