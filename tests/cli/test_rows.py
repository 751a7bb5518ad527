"""Rows of layers on a terminal: what is news stands where it was told."""

import io
from dataclasses import dataclass, field
from typing import Any

import pytest

from boxship.cli.progress import StreamedError, show


class Terminal(io.StringIO):
    """Keeps what is written, and says that a person looks at it."""

    def isatty(self) -> bool:
        return True


@dataclass
class Screen:
    """As much of a session as `show` looks at."""

    out: Terminal = field(default_factory=Terminal)
    err: Terminal = field(default_factory=Terminal)


def row(name: str, status: str, **detail: int) -> dict[str, Any]:
    return {"id": name, "status": status, "progressDetail": detail}


def shown(*messages: dict[str, Any]) -> str:
    screen = Screen()
    show(screen, messages)  # type: ignore[arg-type]
    return screen.out.getvalue()


def test_what_comes_after_the_rows_stands_below_them() -> None:
    text = shown(
        {"id": "latest", "status": "Pulling from library/x"},
        row("aaa", "Downloading", current=1, total=2),
        row("bbb", "Pull complete"),
        row("aaa", "Pull complete"),
        {"status": "Digest: sha256:1"},
        {"id": "next", "status": "Pulling from library/x"},
        row("ccc", "Already exists"),
        {"status": "Status: done"},
    )
    told = ["from library/x", "aaa: Pull complete", "Digest:", "next: Pulling", "ccc:", "Status:"]
    places = [text.rindex(what) if what != "from library/x" else text.index(what) for what in told]
    assert places == sorted(places)
    assert text.endswith("Status: done\n")


def test_a_failure_below_rows_is_raised() -> None:
    screen = Screen()
    with pytest.raises(StreamedError, match="unexpected EOF"):
        show(screen, [row("aaa", "Downloading"), {"error": "unexpected EOF"}])  # type: ignore[arg-type]
    assert "aaa: Downloading" in screen.out.getvalue()
