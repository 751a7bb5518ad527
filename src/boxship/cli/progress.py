"""JSON message streams (load, pull, import) for people: bars on a terminal, lines elsewhere."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from boxship.base.errors import InternalError
from boxship.cli.session import Session

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

Message = dict[str, Any]


class StreamedError(InternalError):
    """The daemon reported a failure inside a stream that had begun well."""


def show(session: Session, messages: Iterable[Message], *, to_stderr: bool = False) -> None:
    """Print until the stream ends; StreamedError for a failure reported in it."""
    output = session.err if to_stderr else session.out
    try:
        if output.isatty():
            _draw(output, messages)
            return
        for text in plain_lines(messages):
            output.write(text)
            output.flush()
    finally:
        output.flush()


def check(message: Message) -> None:
    detail = message.get("errorDetail") or {}
    reason = detail.get("message") or message.get("error")
    if reason:
        raise StreamedError(str(reason))


def drain(messages: Iterable[Message]) -> None:
    """Read to the end without a word, for --quiet."""
    for message in messages:
        check(message)


def plain_lines(messages: Iterable[Message]) -> Iterator[str]:
    """What a pipe or a log gets: no progress, only news."""
    for message in messages:
        check(message)
        if message.get("progressDetail"):
            continue
        if "stream" in message:
            yield message["stream"]
        elif message.get("status"):
            identifier = message.get("id")
            yield f"{identifier}: {message['status']}\n" if identifier else f"{message['status']}\n"


def _draw(output: Any, messages: Iterable[Message]) -> None:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with Progress(*columns, console=Console(file=output)) as bars:
        tasks: dict[str, TaskID] = {}
        for message in messages:
            check(message)
            if "stream" in message:
                bars.console.print(message["stream"].rstrip("\n"), markup=False, highlight=False)
            elif message.get("id"):
                _advance(bars, tasks, message)
            elif message.get("status"):
                bars.console.print(message["status"], markup=False, highlight=False)


def _advance(bars: "Progress", tasks: "dict[str, TaskID]", message: Message) -> None:
    identifier = message["id"]
    if identifier not in tasks:
        tasks[identifier] = bars.add_task(identifier, total=None)
    detail = message.get("progressDetail") or {}
    bars.update(
        tasks[identifier],
        description=f"{identifier}: {message.get('status', '')}",
        completed=detail.get("current", 0),
        total=detail.get("total"),
    )
