"""Delete what was taken out of the store, in the background.

Removing an object is a rename into ``tmp``; from then on it is gone for everybody. Freeing its disk
space can take long (a file system with online discard needs a millisecond for each file), and
nobody needs to wait for it. Should the daemon end before the deletion does, the next start goes on.
"""

import queue
import threading
from collections.abc import Iterable

from boxship.storage.deleting import delete_tree


class Disposal:
    """One thread that deletes directories, one after the other, and ends when there are no more."""

    def __init__(self) -> None:
        self._queue: queue.Queue[str] = queue.Queue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def add(self, paths: Iterable[str]) -> None:
        """Delete these directories some time soon."""
        with self._lock:
            for path in paths:
                self._queue.put(path)
            if self._thread is None and not self._queue.empty():
                self._thread = threading.Thread(target=self._work, name="disposal", daemon=True)
                self._thread.start()

    def settle(self) -> None:
        """Wait until everything that was added is gone."""
        self._queue.join()

    def _work(self) -> None:
        while (path := self._next()) is not None:
            # What cannot be deleted now (an I/O error) is tried again at the next start.
            delete_tree(path)
            self._queue.task_done()

    def _next(self) -> str | None:
        """Return what to delete; None has said that this thread is gone."""
        with self._lock:
            if self._queue.empty():
                self._thread = None
                return None
            return self._queue.get_nowait()
