"""Where something stands in a Dockerfile, and that part of the text for a person."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Range:
    """Lines ``line_start`` to ``line_end``, both included, counted from 1.

    ``file`` is empty for the Dockerfile itself and otherwise the name that ``INCLUDE`` gave.
    """

    line_start: int
    line_end: int
    file: str = ""


NOWHERE = Range(0, 0)
"""The place of what was not read from a text: triggers of a base image."""


def excerpt(name: str, text: str, marked: Sequence[Range], *, around: int = 2) -> str:
    """Write the lines of ``text`` around ``marked``, which get an arrow each, as Docker does::

        Dockerfile:3
        --------------------
           1 |     FROM debian
           2 |
           3 | >>> RUN false
        --------------------

    Of an instruction longer than :data:`_LONGEST` lines, the first ones. Empty if ``marked`` is
    outside of the text.
    """
    lines = text.split("\n")
    shown = [one for one in marked if 1 <= one.line_start <= len(lines)]
    if not shown:
        return ""
    first = min(one.line_start for one in shown)
    last = min(max(one.line_end for one in shown), first + _LONGEST, len(lines))
    begin, end = max(first - around, 1), min(last + around, len(lines))
    body = [
        _line(number, lines[number - 1], any(r.line_start <= number <= r.line_end for r in shown))
        for number in range(begin, end + 1)
    ]
    rule = "-" * 20
    return "\n".join([f"{name}:{first}", rule, *body, rule])


_LONGEST = 10


def _line(number: int, text: str, marked: bool) -> str:
    return f"{number:>4} | {'>>>' if marked else '   '} {text.rstrip()}".rstrip()
