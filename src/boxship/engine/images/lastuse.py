"""When images were last used: exact in memory, written down at most once a minute and image.

A start must not wait for the disk, and a minute more or less does not matter to anybody who asks
what has been idle for days. A daemon that is killed forgets that minute.
"""

from collections.abc import Callable

from boxship.base.clock import Clock
from boxship.engine.images.catalog import KnownImage
from boxship.oci.digest import Digest

WRITTEN_EVERY_NS = 60 * 1_000_000_000


class LastUse:
    """Belongs to the event loop. ``write`` queues a record's change and does not wait."""

    def __init__(self, clock: Clock, write: Callable[[Digest, int], None]) -> None:
        self._clock = clock
        self._write = write
        self._times: dict[Digest, int] = {}
        self._written: dict[Digest, int] = {}

    def record(self, image_id: str) -> None:
        """Note that the image is used now; an id of no image does nothing."""
        if not image_id:
            return
        digest, now = Digest.parse(image_id), self._clock.now_ns()
        self._times[digest] = now
        if now - self._written.get(digest, 0) >= WRITTEN_EVERY_NS:
            self._written[digest] = now
            self._write(digest, now)

    def of(self, known: KnownImage) -> int:
        """Return the time in nanoseconds, 0 for never."""
        return max(self._times.get(known.id, 0), known.record.last_used_ns)

    def forget(self, image_id: Digest) -> None:
        """The image is gone."""
        self._times.pop(image_id, None)
        self._written.pop(image_id, None)
