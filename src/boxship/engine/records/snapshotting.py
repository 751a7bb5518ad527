"""When the records are copied beside themselves, so that there is something to restore them from.

A copy is made in the writer's thread when it has nothing else to do: some time after the first
change since the last copy. It takes as long as writing the file does, a few milliseconds for
hundreds of containers; where it takes longer, the next waits longer, so that copying takes a
hundredth of the time at most.
"""

import contextlib
import os
import sqlite3
import time

from boxship.base.errors import UnavailableError
from boxship.engine.records.restoring import SNAPSHOT, DamagedError, find_damage, is_damage
from boxship.engine.records.snapshots import opened_to_read, write_snapshot

SNAPSHOT_AFTER = 60.0
"""Seconds."""
_SHARE = 100
_QUICK = 0.2
_LEAST_PATIENCE = 0.05


class Snapshots:
    """Belongs to the writer's thread. ``after``: seconds from a change to the copy."""

    def __init__(self, path: str, after: float) -> None:
        self._path, self._after = path, after
        self._took = 0.0
        self._due: float | None = None

    @property
    def patience(self) -> float | None:
        """Seconds to wait for more to write before a copy is made; None: nothing has changed."""
        if self._due is None:
            return None
        return max(_LEAST_PATIENCE, self._due - time.monotonic())

    @property
    def is_quick(self) -> bool:
        """Tell whether a copy can be made in passing, as when the daemon stops."""
        return self._due is not None and self._took < _QUICK

    def changed(self) -> None:
        """Take notice of a change."""
        if self._due is None:
            self._due = time.monotonic() + max(self._after, _SHARE * self._took)

    def make(self, connection: sqlite3.Connection) -> None:
        """Copy the records, and see whether the copy is whole before it replaces the last.

        DamagedError: it isn't, and the last copy stays. UnavailableError: the disk refuses.
        """
        begun = time.monotonic()
        self._due = None
        trial = f"{self._path}{SNAPSHOT}.trial"
        try:
            write_snapshot(connection, trial)
            with contextlib.closing(opened_to_read(trial, "&immutable=1")) as copy:
                problems = find_damage(copy)
            if problems:
                raise DamagedError(problems)
            os.rename(trial, self._path + SNAPSHOT)
        except UnavailableError as error:
            if error.__cause__ is not None and is_damage(error.__cause__):
                raise DamagedError((str(error.__cause__),)) from error
            raise
        except OSError as error:
            raise UnavailableError(f"cannot copy the records: {error}") from error
        finally:
            with contextlib.suppress(OSError):
                os.unlink(trial)
            self._took = time.monotonic() - begun
