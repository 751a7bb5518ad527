"""Steps carried out below the machine's root. Each can be done again by whoever was killed."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterable, Sequence

from boxship.base.errors import UnavailableError
from boxship.base.files import write_atomic
from boxship.installing.layout import Layout
from boxship.installing.pieces import File, Piece, mark_at
from boxship.installing.planning import (
    Found,
    Leave,
    LeaveGroup,
    MakeDirectory,
    MakeGroup,
    Put,
    Remove,
    RemoveGroup,
    Step,
)


def look(layout: Layout, paths: Iterable[str], directories: Sequence[str], group: str) -> Found:
    """See what there is of all that an installation may consist of."""
    marks = {path: mark_at(layout.outside(path)) for path in paths}
    existing = frozenset(path for path in directories if os.path.isdir(layout.outside(path)))
    return Found(marks, _has_group(layout, group), existing)


def carry_out(layout: Layout, step: Step) -> None:
    """Do one step. UnavailableError names what could not be done."""
    try:
        _carry_out(layout, step)
    except OSError as error:
        raise UnavailableError(f"cannot {step}: {error.strerror or error}") from error


def _carry_out(layout: Layout, step: Step) -> None:
    match step:
        case MakeGroup(name):
            change_group(layout, "groupadd", "--system", name)
        case RemoveGroup(name):
            change_group(layout, "groupdel", name)
        case MakeDirectory(path):
            os.makedirs(layout.outside(path), mode=0o755, exist_ok=True)
        case Put(piece):
            _put(layout, piece)
        case Remove(path):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(layout.outside(path))
        case Leave() | LeaveGroup():
            pass


def _put(layout: Layout, piece: Piece) -> None:
    path = layout.outside(piece.path)
    os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
    if isinstance(piece, File):
        write_atomic(path, piece.content)
        return
    temporary = f"{path}.tmp-{os.getpid()}"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(temporary)
    os.symlink(piece.target, temporary)
    os.rename(temporary, path)


def _has_group(layout: Layout, name: str) -> bool:
    return any(line.startswith(f"{name}:") for line in _lines(layout, "/etc/group"))


def has_members(layout: Layout, name: str) -> bool:
    """Tell whether a group is anybody's, as an additional one or as the first of a user."""
    entries = [line.split(":") for line in _lines(layout, "/etc/group")]
    number, members = next((e[2:4] for e in entries if e[0] == name and len(e) > 3), ("", ""))
    users = (line.split(":") for line in _lines(layout, "/etc/passwd"))
    return bool(members) or any(user[3] == number for user in users if len(user) > 3)


def _lines(layout: Layout, path: str) -> list[str]:
    # Not by the C library: it would ask this machine, and the root may be another's.
    try:
        with open(layout.outside(path), encoding="utf-8", errors="replace") as stream:
            return stream.read().splitlines()
    except FileNotFoundError:
        return []


def change_group(layout: Layout, program: str, *arguments: str) -> None:
    """Have ``groupadd`` or ``groupdel`` do it. UnavailableError: it is missing, or refuses."""
    found = shutil.which(program, path="/usr/sbin:/usr/bin:/sbin:/bin")
    if found is None:
        raise UnavailableError(f"cannot add or remove groups: {program} is missing")
    where = [] if layout.is_this_machine else ["--prefix", layout.root]
    done = subprocess.run(
        [found, *where, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    if done.returncode:
        raise UnavailableError(f"{program} {' '.join(arguments)}: {done.stderr.strip()}")
