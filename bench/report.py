"""The table of a run, for a terminal and for docs/benchmarks.md."""

import os
import platform
import re
import time
from collections.abc import Sequence
from pathlib import Path

from bench.rows import Engines, Row

DOCUMENT = Path(__file__).parents[1] / "docs" / "benchmarks.md"
_HEADER = ["", Engines.DOCKERD.value, Engines.BOXSHIP.value, "ratio", "goal", ""]


def text(rows: Sequence[Row]) -> str:
    """Columns for a terminal."""
    cells = [_HEADER, *(_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(_HEADER))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column in (0, 4, 5) else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in cells
    )


def markdown(rows: Sequence[Row], versions: str) -> str:
    """The whole document."""
    table = ["| " + " | ".join(_HEADER) + " |", "|---|--:|--:|--:|---|---|"]
    table += ["| " + " | ".join(_cells(row)) + " |" for row in rows]
    return "\n".join(
        [
            "# Benchmarks",
            "",
            "One run of `scripts/bench --write`. Times are medians; the engines take turns on the",
            "same machine, with the same client and the same image.",
            "",
            f"{time.strftime('%Y-%m-%d')}, {machine()}; {versions}.",
            "",
            *table,
            "",
        ]
    )


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
        {True: "reached", False: "missed", None: ""}[row.reached],
    ]


def _figure(value: float | None, unit: str) -> str:
    if value is None:
        return "-"
    return f"{value:.0f} {unit}" if value >= 100 else f"{value:.2g} {unit}"
