"""Progress bars, drawn by rich. Imported when the first bar is needed and not before."""

from collections.abc import Iterable
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn

from boxship.cli.progress import Message, check


def draw(output: TextIO, messages: Iterable[Message]) -> None:
    """One bar for each id, everything else as text above them."""
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with Progress(*columns, console=Console(file=output)) as bars:
        tasks: dict[str, TaskID] = {}
        for message in messages:
            check(message)
            if message.get("id"):
                _advance(bars, tasks, message)
                continue
            text = str(message.get("stream") or message.get("status") or "").rstrip("\n")
            if text:
                bars.console.print(text, markup=False, highlight=False)


def _advance(bars: Progress, tasks: dict[str, TaskID], message: Message) -> None:
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
