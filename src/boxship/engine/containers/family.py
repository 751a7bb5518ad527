"""The processes that an exec has brought about, found and killed from outside.

An exec begins a session (``runtime/enter.py``), and its children stay in it unless they begin one
of their own; then they are still descendants as long as nobody between has ended. Only processes in
the container's cgroups count, so that no number of the host's can be meant by mistake.
"""

import contextlib
import os
import select
import signal
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import NamedTuple

_ROUNDS = 20
"""A process that forks as fast as it is looked at is outrun within a few."""
_ROUND_MS = 100


class Kin(NamedTuple):
    """Whose child a process is, and the session it is in."""

    parent: int
    session: int


def kill_family(inhabitants: Callable[[], Collection[int]], first: int) -> bool:
    """Kill ``first`` and all that came of it among the ``inhabitants``; blocking, a bounded time.

    Numbers are the host's. False: some would not end, being frozen perhaps.
    """
    known = frozenset({first})
    for _ in range(_ROUNDS):
        with _open(inhabitants()) as pidfds:
            kin = {pid: found for pid, fd in pidfds.items() if (found := _kin(pid, fd)) is not None}
            family = family_of(kin, known)
            if not family:
                return True
            known |= family  # what they leave behind is nobody's child, but theirs in session
            for pid in family:
                with contextlib.suppress(ProcessLookupError):
                    signal.pidfd_send_signal(pidfds[pid], signal.SIGKILL)
            _wait(pidfds[pid] for pid in family)
    return False


def family_of(kin: Mapping[int, Kin], known: Collection[int]) -> frozenset[int]:
    """Return those that are ``known``, in the session of one, or a descendant of either; pure."""
    family = {pid for pid, (_, session) in kin.items() if pid in known or session in known}
    grown = True
    while grown:
        children = {pid for pid, (parent, _) in kin.items() if parent in family or parent in known}
        grown = not children <= family
        family |= children
    return frozenset(family)


@contextlib.contextmanager
def _open(pids: Collection[int]) -> Iterator[dict[int, int]]:
    opened: dict[int, int] = {}
    try:
        for pid in pids:
            with contextlib.suppress(OSError):
                opened[pid] = os.pidfd_open(pid)
        yield opened
    finally:
        for fd in opened.values():
            os.close(fd)


def _kin(pid: int, pidfd: int) -> Kin | None:
    """Read ``/proc/PID/stat`` (proc(5)); None if it has ended."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            # The name in parentheses may hold spaces and parentheses itself.
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return None
    if _ended(pidfd):  # what was read may be somebody else's by now
        return None
    return Kin(int(fields[1]), int(fields[3]))


def _ended(pidfd: int) -> bool:
    return bool(select.select([pidfd], [], [], 0)[0])


def _wait(pidfds: Iterator[int]) -> None:
    poller = select.poll()
    left = set(pidfds)
    for fd in left:
        poller.register(fd, select.POLLIN)
    while left:
        ended = poller.poll(_ROUND_MS)
        if not ended:
            return
        for fd, _ in ended:
            poller.unregister(fd)
            left.discard(fd)
