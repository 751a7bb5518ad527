"""Delete what was taken out of the store, in the background.

Removing an object is a rename into ``tmp``; from then on it is gone for everybody. Freeing its disk
space can take long (a file system with online discard needs a millisecond for each file), and
nobody needs to wait for it. Should the daemon end before the deletion does, the next start goes on.
"""

import queue
import shutil
import threading
from collections.abc import Iterable


class Disposal:
    """One thread that deletes directories, one after the other."""

    def __init__(self) -> None:
        self._queue: queue.Queue[str] = queue.Queue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def add(self, paths: Iterable[str]) -> None:
        """Delete these directories some time soon."""
        for path in paths:
            self._queue.put(path)
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="disposal", daemon=True)
                self._thread.start()

    def settle(self) -> None:
        """Wait until everything that was added is gone."""
        self._queue.join()

    def _work(self) -> None:
        while True:
            # What cannot be deleted now (an I/O error) is tried again at the next start.
            shutil.rmtree(self._queue.get(), ignore_errors=True)
            self._queue.task_done()
