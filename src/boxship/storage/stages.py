"""Stages of a pipeline over chunks that run beside each other in threads.

Hashing, decompression and system calls all let go of the interpreter lock, so a stage in a thread
of its own really is free as long as a core is. Queues are short: memory stays at a few chunks.
"""

import contextlib
import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Self

from boxship.oci.digest import Digest, Hasher, new_hasher
from boxship.storage.chunks import Buffer

_DEPTH = 4

_Result = Callable[[], Buffer | None]


class HashingStage:
    """Passes chunks through and computes their digest in a thread; use it as a context.

    ``digest()`` may be asked once the stream was read to its end.
    """

    def __init__(self, chunks: Iterable[Buffer]) -> None:
        self._chunks = chunks
        self._hasher: Hasher = new_hasher("sha256")
        self._queue: queue.Queue[Buffer | None] = queue.Queue(_DEPTH)
        self._thread = threading.Thread(target=self._work, name="hash", daemon=True)
        self.size = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._finish()

    def __iter__(self) -> Iterator[Buffer]:
        for chunk in self._chunks:
            self._queue.put(chunk)
            self.size += len(chunk)
            yield chunk

    def digest(self) -> Digest:
        """Return the digest of everything that went through."""
        self._finish()
        return Digest("sha256", self._hasher.hexdigest())

    def _finish(self) -> None:
        if self._thread.is_alive():
            self._queue.put(None)
            self._thread.join()

    def _work(self) -> None:
        while (chunk := self._queue.get()) is not None:
            self._hasher.update(chunk)


@contextlib.contextmanager
def in_background(chunks: Iterator[Buffer]) -> Iterator[Iterator[Buffer]]:
    """Run an iterator in a thread, a few chunks ahead of its reader; its errors reach the reader.

    Leaving the context stops the thread, even in the middle of the stream, as soon as the iterator
    yields again.
    """
    ahead: queue.Queue[_Result] = queue.Queue(_DEPTH)
    stop = threading.Event()

    def offer(result: _Result) -> bool:
        while not stop.is_set():
            with contextlib.suppress(queue.Full):
                ahead.put(result, timeout=0.1)
                return True
        return False

    def work() -> None:
        try:
            for chunk in chunks:
                if not offer(partial(_identity, chunk)):
                    return
            offer(partial(_identity, None))
        except BaseException as error:  # noqa: BLE001 - raised again where the chunks are read
            offer(partial(_raise, error))

    thread = threading.Thread(target=work, name="stage", daemon=True)
    thread.start()
    try:
        yield _until_none(ahead)
    finally:
        stop.set()
        thread.join()


def _until_none(results: "queue.Queue[_Result]") -> Iterator[Buffer]:
    while (chunk := results.get()()) is not None:
        yield chunk


def _identity(chunk: Buffer | None) -> Buffer | None:
    return chunk


def _raise(error: BaseException) -> Buffer | None:
    raise error
