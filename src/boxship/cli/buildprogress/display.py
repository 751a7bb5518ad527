"""Which display, and what is said once a build is over, whichever it was."""

from typing import Protocol, TextIO

from boxship.base.errors import InvalidArgumentError
from boxship.cli.buildprogress.trace import SECOND, Trace
from boxship.client.buildkit.progress import Source, Update

MODES = ("auto", "plain", "tty", "rawjson", "quiet", "none")
_AROUND = 3  # lines of a source file before and after the ones that are meant


class Display(Protocol):
    """Fed with updates and moments, in nanoseconds since 1970."""

    trace: Trace

    def show(self, update: Update, now: int) -> None: ...

    def tick(self, now: int) -> None:
        """Time has passed and nothing was told."""

    def finish(self, now: int) -> None:
        """Nothing more will be told."""


class QuietDisplay:
    """Says nothing while it goes on; knows what went wrong afterwards."""

    def __init__(self) -> None:
        self.trace = Trace()

    def show(self, update: Update, now: int) -> None:
        self.trace.add(update)

    def tick(self, now: int) -> None: ...

    def finish(self, now: int) -> None: ...


def check_mode(mode: str) -> str:
    """Return the mode; InvalidArgumentError for one that there isn't."""
    if mode not in MODES:
        raise InvalidArgumentError(f"invalid progress mode {mode!r}: use one of {', '.join(MODES)}")
    return mode


def display_for(mode: str, output: TextIO, now: int, *, colors: bool = True) -> Display:
    """Return the display of a mode; ``auto`` draws on terminals only."""
    if mode in ("quiet", "none"):
        return QuietDisplay()
    if mode == "rawjson":
        from boxship.cli.buildprogress.rawjson import RawJsonDisplay

        return RawJsonDisplay(output)
    if mode == "tty" or (mode == "auto" and output.isatty()):
        from boxship.cli.buildprogress.terminal import TerminalDisplay

        return TerminalDisplay(output, now, colors=colors)
    from boxship.cli.buildprogress.plain import PlainDisplay

    return PlainDisplay(output)


def failures(trace: Trace) -> str:
    """Return the last words of the steps that failed; empty if none did."""
    parts = []
    for job in trace.failed:
        lines = [f"{line.offset / SECOND:.3f} {line.text}".rstrip() for line in job.tail]
        parts.append("\n".join(["------", f" > {job.vertex.name}:", *lines, "------"]))
    return "\n".join(parts)


def warnings(trace: Trace, *, expanded: bool = False) -> str:
    """Return what was warned of, a line each, or with all that was said; empty if nothing was."""
    if not trace.warnings:
        return ""
    count = len(trace.warnings)
    hint = "" if expanded else " (-D shows more)"
    blocks = [f"{count} warning{'' if count == 1 else 's'} found{hint}:"]
    for warned in trace.warnings:
        blocks.append(f" - {warned.short}")
        if expanded:
            blocks += [f"   {line}" for line in warned.detail]
            blocks += [f"   More info: {warned.url}"] if warned.url else []
            place = excerpt(warned.source) if warned.source is not None else ""
            blocks += [place] if place else []
    return "\n".join(blocks)


def excerpt(source: Source) -> str:
    """Return the lines that are meant, marked, and some around them; empty if none is."""
    if not source.spans:
        return ""
    meant: set[int] = set()
    for span in source.spans:
        meant.update(range(span.start.line, max(span.start.line, span.end.line) + 1))
    lines = source.data.decode("utf-8", "replace").split("\n")
    first, last = max(1, min(meant) - _AROUND), min(len(lines), max(meant) + _AROUND)
    rows = [
        f"{number:4d} | {'>>>' if number in meant else '   '} {lines[number - 1].rstrip()}".rstrip()
        for number in range(first, last + 1)
    ]
    rule = "-" * 20
    return "\n".join([f"{source.filename}:{min(meant)}", rule, *rows, rule])
