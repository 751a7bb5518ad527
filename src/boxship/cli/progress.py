"""JSON message streams (pull, push, load, import): rows on a terminal, lines elsewhere."""

from collections.abc import Iterable
from itertools import chain
from typing import Any

from boxship.base.errors import InternalError
from boxship.cli.session import Session

Message = dict[str, Any]


class StreamedError(InternalError):
    """The daemon reported a failure inside a stream that had begun well."""


def show(session: Session, messages: Iterable[Message], *, to_stderr: bool = False) -> None:
    """Print until the stream ends; StreamedError for a failure reported in it."""
    output = session.err if to_stderr else session.out
    try:
        rest = iter(messages)
        for first in rest:
            message: Message | None = first
            if output.isatty() and is_row(first):
                from boxship.cli.progressbars import draw

                message = draw(output, chain([first], rest))
            output.write(plain(message) if message else "")
            output.flush()
    finally:
        output.flush()


def is_row(message: Message) -> bool:
    """Tell whether a message is about something that goes on, rather than news."""
    return "progressDetail" in message and bool(message.get("id"))


def _is_progress(message: Message) -> bool:
    return bool(message.get("progressDetail"))


def check(message: Message) -> None:
    detail = message.get("errorDetail") or {}
    reason = detail.get("message") or message.get("error")
    if reason:
        raise StreamedError(str(reason))


def drain(messages: Iterable[Message]) -> None:
    """Read to the end without a word, for --quiet."""
    for message in messages:
        check(message)


def plain(message: Message) -> str:
    """What a pipe or a log gets: news, no progress."""
    check(message)
    if _is_progress(message):
        return ""
    if "stream" in message:
        return str(message["stream"])
    status, identifier = message.get("status"), message.get("id")
    if not status:
        return ""
    return f"{identifier}: {status}\n" if identifier else f"{status}\n"
