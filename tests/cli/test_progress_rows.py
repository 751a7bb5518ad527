"""Layers on a terminal: a row each, with a bar while bytes move."""

import io
import re

import pytest
from rich.progress import Progress

from boxship.cli.progress import StreamedError, is_row, plain
from boxship.cli.progressbars import SpeedColumn, draw

LAYER = "086a90ae4c1a"
NEWS = {"status": "Pulling from lib/app", "id": "1"}


def row(status: str, **detail: int) -> dict[str, object]:
    return {"status": status, "progressDetail": detail, "id": LAYER}


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def drawn(*messages: dict[str, object], monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    output = Terminal()
    rest = draw(output, iter(messages))
    assert rest in (None, NEWS)
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", output.getvalue())


def test_a_layer_ends_as_a_word_above_the_news(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = drawn(
        row("Pulling fs layer"),
        row("Downloading", current=5, total=10),
        row("Extracting", current=10, total=10),
        row("Pull complete"),
        NEWS,
        monkeypatch=monkeypatch,
    )
    assert shown.rstrip().endswith(f"{LAYER}: Pull complete")
    assert "Pulling from" not in shown


def test_a_bar_while_bytes_move(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = drawn(row("Downloading", current=5, total=10), monkeypatch=monkeypatch)
    assert re.search(rf"{LAYER}: Downloading +━+.*5/10 bytes", shown)


def test_a_failure_is_raised_after_what_was_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    failure: dict[str, object] = {"errorDetail": {"message": "gone"}, "error": "gone"}
    with pytest.raises(StreamedError, match="gone"):
        drawn(row("Waiting"), failure, monkeypatch=monkeypatch)


def test_a_pipe_gets_news_and_words_and_no_bars() -> None:
    assert plain(NEWS) == "1: Pulling from lib/app\n"
    assert plain(row("Pull complete")) == f"{LAYER}: Pull complete\n"
    assert plain(row("Downloading", current=5, total=10)) == ""
    assert is_row(row("Waiting")) and not is_row(NEWS)


def test_a_speed_is_shown_when_it_is_one() -> None:
    now = 0.0
    rows = Progress(get_time=lambda: now)
    task = rows.add_task("layer", total=30_000_000)

    def after(seconds: float, completed: int) -> str:
        nonlocal now
        now = seconds
        rows.update(task, completed=completed)
        return SpeedColumn().render(rows.tasks[0]).plain

    assert after(0.1, 1_000_000) == ""
    assert after(0.100001, 8_000_000) == ""
    assert after(1.1, 18_000_000) == "17.0 MB/s"
