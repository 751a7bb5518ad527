"""Cutting a stream of output into lines, by the chunk and never line by line. Without I/O.

A line that reaches 16 KiB before its newline is cut there; only its last piece ends in a newline.
All lines of a chunk belong together: they were read at the same time, and go on as one ``Piece``.
"""

from typing import Final, NamedTuple

MAX_LINE: Final = 16 * 1024
"""Docker's limit: the content of one entry, in bytes, the newline included."""


class Piece(NamedTuple):
    """Whole lines, each with its newline; or a part of one line, which then is alone."""

    data: bytes
    ordinal: int = 0
    """How many parts of the first line came before."""
    more: bool = False
    """A part, with the rest of its line to come; ``data`` has no newline."""

    @property
    def lines(self) -> int:
        """How many entries this is."""
        return self.data.count(b"\n") + (not self.data.endswith(b"\n"))


class LineCutter:
    """Cuts one stream. ``pending`` is the line, or its last part, whose end has not come."""

    def __init__(self) -> None:
        self.pending = b""
        self._ordinal = 0

    def feed(self, data: bytes) -> list[Piece]:
        """Return what ``data`` completes."""
        if self.pending:
            data = self.pending + data
        pieces: list[Piece] = []
        start = line = 0  # beginning of what is not cut off yet, and of the line looked at
        while (newline := data.rfind(b"\n", line, line + MAX_LINE)) >= 0 or (
            len(data) - line >= MAX_LINE
        ):
            if newline >= 0:
                line = newline + 1
                continue
            if start < line:
                pieces.append(Piece(data[start:line], self._ordinal))
                self._ordinal = 0
            start = line + MAX_LINE
            pieces.append(Piece(data[line:start], self._ordinal, more=True))
            self._ordinal += 1
            line = start
        if start < line:
            whole = data if line == len(data) and not start else data[start:line]
            pieces.append(Piece(whole, self._ordinal))
            self._ordinal = 0
        self.pending = data[line:]
        return pieces

    def finish(self) -> list[Piece]:
        """Return the unfinished last line, if there is one."""
        rest, self.pending = self.pending, b""
        return [Piece(rest, self._ordinal)] if rest else []
