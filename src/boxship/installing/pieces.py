"""The pieces of an installation: files and links, and how one is recognized on the disk."""

import hashlib
import os
import stat
from dataclasses import dataclass

_LARGEST = 1 << 20
"""No piece has as many bytes."""


@dataclass(frozen=True)
class File:
    path: str
    content: bytes


@dataclass(frozen=True)
class Link:
    path: str
    target: str


Piece = File | Link


def mark(piece: Piece) -> str:
    """Return a short text that only an equal piece has."""
    if isinstance(piece, Link):
        return f"link {piece.target}"
    return f"sha256 {hashlib.sha256(piece.content).hexdigest()}"


def mark_at(path: str) -> str:
    """Return the mark of what is there: "" for nothing, "other" for what no piece can be."""
    try:
        mode = os.lstat(path).st_mode
        if stat.S_ISLNK(mode):
            return f"link {os.readlink(path)}"
        if not stat.S_ISREG(mode):
            return "other"
        with open(path, "rb") as stream:
            content = stream.read(_LARGEST + 1)
    except (FileNotFoundError, NotADirectoryError):
        return ""
    return mark(File(path, content)) if len(content) <= _LARGEST else "other"
