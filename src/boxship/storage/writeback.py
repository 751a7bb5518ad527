"""Bring what was written to the disk, early and in the background.

An image may only be recorded once its layers would survive power loss. Waiting for the disk at the
end of a load costs as much again as the load; begun after each layer, writing runs beside unpacking
the next, and the wait at the end is short.
"""

import contextlib
import threading
from collections.abc import Callable


class WriteBack:
    """One thread that syncs when asked; what is asked meanwhile is done in one go afterwards.

    It ends when nothing more is asked.
    """

    def __init__(self, sync: Callable[[], None]) -> None:
        self._sync = sync
        self._wanted = False
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def begin(self) -> None:
        """Start writing what is there by now; return at once."""
        with self._lock:
            self._wanted = True
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="writeback", daemon=True)
                self._thread.start()

    def finish(self) -> None:
        """Return once everything written before the call would survive power loss."""
        self._sync()

    def _work(self) -> None:
        while self._is_wanted():
            with contextlib.suppress(OSError):  # whoever has to know calls finish
                self._sync()

    def _is_wanted(self) -> bool:
        """Take the wish; without one this thread is gone."""
        with self._lock:
            wanted, self._wanted = self._wanted, False
            if not wanted:
                self._thread = None
            return wanted
