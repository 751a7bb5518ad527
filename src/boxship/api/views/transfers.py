"""Lines of a pull or push as Docker's clients read them. Pure."""

from collections.abc import Callable
from typing import Any

from boxship.base.ids import short_id
from boxship.base.units import format_decimal_size
from boxship.engine.housekeeping.volumecopies import Copied
from boxship.model.image import (
    Fetched,
    FetchEvent,
    Fetching,
    LayerTransfer,
    Pulled,
    PushBegun,
    TransferBegun,
    TransferDigest,
    TransferEvent,
    TransferPhase,
)
from boxship.wire.jsonstream import Outcome, Progress, ProgressDetail, progress_bar


def pull_line(event: TransferEvent) -> Progress:
    """Show one event of a pull."""
    return _PULLING[type(event)](event)


def push_lines(event: TransferEvent) -> tuple[Progress, ...]:
    """Show one event of a push; the outcome is told to people and to programs."""
    if isinstance(event, LayerTransfer):
        return (layer_line(event),)
    if isinstance(event, PushBegun):
        return (Progress(status=f"The push refers to repository [{event.repository}]"),)
    if isinstance(event, TransferDigest):
        text = f"{event.tag}: digest: {event.digest} size: {event.size}"
        result = Outcome(event.tag, event.digest, event.size)
        return Progress(status=text), Progress(progress_detail=ProgressDetail(), aux=result)
    raise TypeError(event)


def layer_line(event: LayerTransfer) -> Progress:
    """Show what a layer is doing, with a bar where bytes are moving."""
    status = event.phase.value
    detail, bar = ProgressDetail(), ""
    if event.phase is TransferPhase.RETRYING:
        status = f"{status} {event.current} second{'s' if event.current != 1 else ''}"
    elif event.phase is TransferPhase.MOUNTED:
        status = f"{status} {event.source}"
    elif event.total or event.current:
        detail = ProgressDetail(event.current, event.total)
        bar = sized_bar(event.current, event.total)
    return Progress(status=status, progress_detail=detail, progress=bar, id=short_id(event.layer))


def fetch_line(event: FetchEvent) -> Progress:
    """Show one event of an import from a URL."""
    if isinstance(event, Fetching):
        return Progress(status=f"Downloading from {event.url}")
    if isinstance(event, Fetched):
        return Progress(
            status="Importing",
            progress_detail=ProgressDetail(event.current, event.total),
            progress=sized_bar(event.current, event.total),
        )
    return Progress(status=event.id)


def copying(event: Copied, identifier: str) -> Progress:
    """Show how far the copy of a volume has come."""
    return Progress(
        status="Copying",
        progress_detail=ProgressDetail(event.current, event.total),
        progress=sized_bar(event.current, event.total),
        id=identifier,
    )


def sized_bar(current: int, total: int) -> str:
    """Draw a bar with sizes behind it, or the size alone while the total is unknown."""
    done = f"{format_decimal_size(current, digits=4):>8}"
    if not total:
        return done
    if current > total:  # of a layer pushed the total is that of its files, without headers
        return progress_bar(current, total, done)
    return progress_bar(current, total, f"{done}/{format_decimal_size(total, digits=4)}")


def _begun(event: TransferBegun) -> Progress:
    return Progress(status=f"Pulling from {event.repository}", id=event.tag)


def _digest(event: TransferDigest) -> Progress:
    return Progress(status=f"Digest: {event.digest}")


def _pulled(event: Pulled) -> Progress:
    what = "Downloaded newer image" if event.newer else "Image is up to date"
    return Progress(status=f"Status: {what} for {event.reference}")


_PULLING: dict[type[TransferEvent], Callable[[Any], Progress]] = {
    LayerTransfer: layer_line,
    TransferBegun: _begun,
    TransferDigest: _digest,
    Pulled: _pulled,
}
