"""Text in aligned columns, by the rules of Go's text/tabwriter.

A cell is closed by a tab; what follows the last tab of a line belongs to no column. A column is a
block of neighbouring lines that have a cell there, as wide as its widest cell plus the padding, and
at least as wide as the minimum.
"""

from collections.abc import Iterator, Sequence


def align(text: str, *, minimum: int, padding: int) -> str:
    """``text`` with every tab replaced by blanks."""
    lines = [line.split("\t") for line in text.split("\n")]
    widths = [[0] * (len(cells) - 1) for cells in lines]

    def measure(rows: range, column: int) -> None:
        """Set the widths of ``column`` in each block of lines that have it, then of the next."""
        for block in _blocks(rows, [len(cells) > column for cells in widths]):
            widest = max(len(lines[row][column]) for row in block)
            for row in block:
                widths[row][column] = max(widest + padding, minimum)
            measure(block, column + 1)

    measure(range(len(lines)), 0)
    return "\n".join(_joined(cells, sizes) for cells, sizes in zip(lines, widths, strict=True))


def _blocks(rows: range, marked: Sequence[bool]) -> Iterator[range]:
    start: int | None = None
    for row in rows:
        if marked[row] and start is None:
            start = row
        elif not marked[row] and start is not None:
            yield range(start, row)
            start = None
    if start is not None:
        yield range(start, rows.stop)


def _joined(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = [cell.ljust(width) for cell, width in zip(cells, widths, strict=False)]
    return "".join(padded) + cells[-1]
