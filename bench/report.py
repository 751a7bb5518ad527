"""The table of a run, for a terminal and for docs/benchmarks.md."""

import os
import platform
import re
import time
from collections.abc import Sequence
from pathlib import Path

from bench.rows import Engines, ProgramRow, Programs, Row

DOCUMENT = Path(__file__).parents[1] / "docs" / "benchmarks.md"
_TAIL = ["ratio", "goal", ""]
_INTRODUCTION = """# Benchmarks

Written by `scripts/bench --write`. Times are medians; what is compared takes turns on the same
machine, with the same client, image and bundle.
"""
_VERDICTS = {True: "reached", False: "missed", None: ""}


def engines(rows: Sequence[Row]) -> list[list[str]]:
    """The cells of the engines' table."""
    return [["", *(engine.value for engine in Engines), *_TAIL], *(_cells(row) for row in rows)]


def programs(rows: Sequence[ProgramRow]) -> list[list[str]]:
    """The cells of the runtimes' table."""
    header = ["", *(program.value for program in Programs), *_TAIL]
    return [header, *(_program_cells(row) for row in rows)]


def text(cells: Sequence[Sequence[str]]) -> str:
    """Columns for a terminal."""
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    left = (0, len(widths) - 2, len(widths) - 1)
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column in left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in cells
    )


def write(title: str, cells: Sequence[Sequence[str]], versions: str, note: str = "") -> None:
    """Put a table into the document in place of the one with its title; others stay.

    ``note`` is a paragraph below it.
    """
    sections = dict(_sections())
    head, *lines = ["| " + " | ".join(line) + " |" for line in cells]
    rule = "|---|" + "--:|" * (len(cells[0]) - 3) + "---|---|"
    when = f"{time.strftime('%Y-%m-%d')}, {machine()}; {versions}."
    below = ["", note] if note else []
    sections[title] = "\n".join([when, "", head, rule, *lines, *below]) + "\n"
    bodies = [f"## {name}\n\n{body}" for name, body in sections.items()]
    DOCUMENT.write_text("\n".join([_INTRODUCTION, *bodies]))


def _sections() -> list[tuple[str, str]]:
    _, *parts = re.split(r"^## (.*)\n\n", DOCUMENT.read_text(), flags=re.MULTILINE)
    return [
        (name, body.rstrip() + "\n") for name, body in zip(parts[::2], parts[1::2], strict=True)
    ]


def machine() -> str:
    memory = re.search(r"MemTotal: +(\d+)", Path("/proc/meminfo").read_text())
    assert memory is not None
    return (
        f"{os.cpu_count()} cores, {int(memory[1]) / 1e6:.0f} GB of memory, "
        f"Linux {platform.release().partition('-')[0]}, Python {platform.python_version()}"
    )


def _cells(row: Row) -> list[str]:
    return [
        row.what,
        *(_figure(row.figures.get(engine), row.unit) for engine in Engines),
        "" if row.ratio is None else f"{row.ratio:.2f}",
        "" if row.goal is None else str(row.goal) + ("" if row.goal.of_dockerd else f" {row.unit}"),
        _VERDICTS[row.reached],
    ]


def _program_cells(row: ProgramRow) -> list[str]:
    return [
        row.what,
        *(_figure(row.figures.get(program), row.unit) for program in Programs),
        "" if row.ratio is None else f"{row.ratio:.2f}",
        row.goal,
        _VERDICTS[row.reached],
    ]


def _figure(value: float | None, unit: str) -> str:
    if value is None:
        return "-"
    return f"{value:.0f} {unit}" if value >= 100 else f"{value:.2g} {unit}"
