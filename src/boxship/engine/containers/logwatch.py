"""Notice that a directory's files changed, without asking again and again."""

import asyncio

from boxship.kernel.inotify import IN_CREATE, IN_MODIFY, IN_MOVED_TO, Inotify


class DirectoryWatch:
    """Wakes one waiter when a file in the directory is written, made or renamed. Use ``with``."""

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._changed = asyncio.Event()

    def __enter__(self) -> "DirectoryWatch":
        self._inotify = Inotify()
        try:
            self._inotify.add(self._directory, IN_MODIFY | IN_CREATE | IN_MOVED_TO)
        except OSError:
            self._inotify.close()
            raise
        asyncio.get_running_loop().add_reader(self._inotify.fileno(), self._drain)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.get_running_loop().remove_reader(self._inotify.fileno())
        self._inotify.close()

    def clear(self) -> None:
        """Forget changes up to now."""
        self._changed.clear()

    async def changed(self) -> None:
        """Wait for a change since :meth:`clear`."""
        await self._changed.wait()

    def _drain(self) -> None:
        self._inotify.drain()
        self._changed.set()
