"""A page in the language of man(7): as much of it as mandoc and groff read without a warning."""

import textwrap
from collections.abc import Iterable

_ESCAPED = {"\\": r"\e", "-": r"\-", "'": r"\(aq", "`": r"\(ga", "^": r"\(ha", "~": r"\(ti"}


def text(words: str) -> str:
    """Return ``words`` for a place inside a line, where they mean nothing to the formatter."""
    return "".join(
        _ESCAPED.get(sign) or (sign if sign.isascii() else f"\\[u{ord(sign):04X}]")
        for sign in words
    )


def bold(words: str) -> str:
    return rf"\fB{text(words)}\fR"


def italic(words: str) -> str:
    return rf"\fI{text(words)}\fR"


def prose(words: str) -> list[str]:
    """Return paragraphs; lines that are set in stay as they are."""
    lines: list[str] = []
    literal = False
    for line in words.split("\n"):
        if literal and not line.startswith(" "):
            lines.append(".EE")
            literal = False
        if not line.strip():
            lines.append(".PP")
            continue
        if line.startswith(" ") and not literal:
            lines.append(".EX")
            literal = True
        lines += [rf"\&{text(line)}"] if literal else _wrapped(text(line))
    return _tidy([*lines, ".EE"] if literal else lines)


def _tidy(lines: Iterable[str]) -> list[str]:
    """Drop what separates nothing: a paragraph's begin before a block, or at the end."""
    kept: list[str] = []
    for line in lines:
        if line == ".PP" and (not kept or kept[-1] == ".PP"):
            continue
        kept.append(line)
    while kept and kept[-1] == ".PP":
        kept.pop()
    return kept


def item(tag: str, body: str) -> list[str]:
    """Return a paragraph with a tag; ``tag`` is formatted already."""
    lines = [text(line) for line in body.split("\n") if line.strip()]
    return [".TP", tag, *(part for line in lines for part in _wrapped(line))]


def _wrapped(line: str) -> list[str]:
    """Break a line at spaces; a full stop at the begin of one would be a request."""
    parts = textwrap.wrap(line, 78, break_long_words=False, break_on_hyphens=False)
    return [rf"\&{part}" if part.startswith(".") else part for part in parts]


def page(name: str, section: int, release: tuple[str, str], parts: Iterable[str]) -> bytes:
    """Put a page together; ``release`` is its date (YYYY-MM-DD) and version."""
    date, version = release
    head = f'.TH {text(name.upper())} {section} {date} "Boxship {version}" "Boxship"'
    return "\n".join([head, *parts]).encode() + b"\n"
