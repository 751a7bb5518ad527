"""One copy from end to end, with progress as an engine tells it.

The work is done in a thread; who reads the messages may stop, which ends the work.
"""

import queue
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Protocol

from boxship.client.engine import JsonObject
from boxship.copying.content import Source, Told
from boxship.copying.plan import Choice, Plan, plan_copy
from boxship.distribution.cancel import Cancel
from boxship.oci.digest import Digest


class Destination(Protocol):
    """A place that takes an image; at the end it is there whole, or not under its name."""

    def receive(self, plan: Plan, source: Source, told: Told, cancel: Cancel) -> Digest:
        """Take the image; return the digest under which it is there."""


class Opener(Protocol):
    """Opens both ends when everything else is ready."""

    def source(self, scratch: str, told: Told, cancel: Cancel) -> Source: ...

    def destination(self, scratch: str) -> Destination: ...


def copy(places: Opener, choice: Choice) -> Iterator[JsonObject]:
    """Copy; yield progress, the digest of what was copied in the last message."""
    messages: queue.Queue[JsonObject | BaseException | None] = queue.Queue(1024)
    cancel = Cancel()

    def told(name: str, status: str, current: int, total: int) -> None:
        message: JsonObject = {"id": name, "status": status}
        if total or current:
            message["progressDetail"] = {"current": current, "total": total}
        messages.put(message)

    work = threading.Thread(
        target=_caught, args=(messages, lambda: _copy(places, choice, told, cancel)), daemon=True
    )
    work.start()
    try:
        while (message := messages.get()) is not None:
            if isinstance(message, BaseException):
                raise message
            yield message
    finally:
        cancel.cancel()
        while work.is_alive():  # it may wait for room in the queue
            _drain(messages)
            work.join(0.05)


def _copy(places: Opener, choice: Choice, told: Told, cancel: Cancel) -> JsonObject:
    with ExitStack() as stack:
        scratch = stack.enter_context(tempfile.TemporaryDirectory(prefix="boxship-copy-"))
        destination = places.destination(scratch)
        source = places.source(scratch, told, cancel)
        stack.callback(source.close)
        plan = plan_copy(source, choice)
        digest = destination.receive(plan, source, told, cancel)
    return {"status": f"Digest: {digest}"}


def _caught(
    messages: "queue.Queue[JsonObject | BaseException | None]", work: Callable[[], JsonObject]
) -> None:
    try:
        messages.put(work())
    except BaseException as error:  # noqa: BLE001 - raised again where the messages are read
        messages.put(error)
    messages.put(None)


def _drain(messages: "queue.Queue[JsonObject | BaseException | None]") -> None:
    while True:
        try:
            messages.get_nowait()
        except queue.Empty:
            return
