"""What layers are doing, on a terminal, drawn by rich. Imported when the first row is needed.

A row for each layer, in the order they were first told of::

    6d11c181ebb3: Pull complete
    0f2f4a1fdbb4: Downloading    ━━━━━━━━━━╸━━━━━━━━  31.5/63.1 MB   12.1 MB/s
    97e1d2a2b1ab: Waiting
"""

from collections.abc import Iterable
from typing import TextIO

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TransferSpeedColumn,
)
from rich.text import Text

from boxship.cli.progress import Message, check, is_row

_PER_SECOND = 10
_MEASURED_AFTER = 0.5  # seconds


def draw(output: TextIO, messages: Iterable[Message]) -> Message | None:
    """Draw rows as long as messages are about rows; return the first that is not, if there is one.

    Raises StreamedError for a failure reported in the stream.
    """
    columns = (
        TextColumn("{task.description}", markup=False),
        _WhileMoving(BarColumn()),
        _WhileMoving(DownloadColumn()),
        _WhileMoving(SpeedColumn()),
    )
    console = Console(file=output)
    with Progress(*columns, console=console, refresh_per_second=_PER_SECOND) as rows:
        tasks: dict[str, TaskID] = {}
        for message in messages:
            check(message)
            if not is_row(message):
                return message
            _advance(rows, tasks, message)
    return None


class _WhileMoving(ProgressColumn):
    """A column that is there while bytes move: a layer that waits or is done has a word only."""

    def __init__(self, column: ProgressColumn) -> None:
        super().__init__()
        self._column = column

    def render(self, task: Task) -> Text:
        if not task.fields["moving"]:
            return Text("")
        return self._column.render(task)  # type: ignore[return-value]  # a bar is as good


class SpeedColumn(TransferSpeedColumn):
    """The speed, once there is one: messages come in bursts, and the first would be gigabytes."""

    def render(self, task: Task) -> Text:
        if (task.elapsed or 0) < _MEASURED_AFTER:
            return Text("")
        return super().render(task)


def _advance(rows: Progress, tasks: dict[str, TaskID], message: Message) -> None:
    identifier, status = str(message["id"]), str(message.get("status", ""))
    detail = message.get("progressDetail") or {}
    if identifier not in tasks:
        tasks[identifier] = rows.add_task(identifier, total=None, moving=False)
    task = tasks[identifier]
    description = f"{identifier}: {status}"
    current, total = detail.get("current", 0), detail.get("total") or None
    moving = total is not None and current < total
    if rows.tasks[rows.task_ids.index(task)].description != description:
        # Another phase counts from the start again, and its speed with it.
        rows.reset(task, total=total, completed=current, description=description, moving=moving)
    else:
        rows.update(task, total=total, completed=current, moving=moving)
