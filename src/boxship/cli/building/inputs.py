"""Where the context and the Dockerfile of a build come from.

::

    boxship build DIRECTORY          files of this machine, -f a file within or beside them
    boxship build GIT-OR-URL         the engine fetches it; -f is a file within it
    boxship build - < context.tar    an archive; -f is a file within it
    boxship build - < Dockerfile     a Dockerfile and no files
    boxship build -f - DIRECTORY     the Dockerfile from standard input

``resolve`` decides that and looks that everything is there; it reads nothing but the
Dockerfile that comes from standard input, and the first bytes of an archive.
"""

import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from boxship.base.errors import InvalidArgumentError
from boxship.cli.exitcodes import FAILURE, ExitError

STDIN = "-"
DEFAULT = "Dockerfile"

_PEEKED = 512
_PIECE = 1 << 20
_LONGEST = 16 << 20  # of a Dockerfile
_COMPRESSED = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00", b"\x28\xb5\x2f\xfd")
_GIT_HOST = re.compile(r"^(?:[\w.-]+@)[\w.-]+:(?!//)")
_GIT_SUFFIX = re.compile(r"\.git(?:#.*|\?.*)?$")


@dataclass(frozen=True, slots=True)
class Directory:
    """A directory of this machine."""

    path: str


@dataclass(frozen=True, slots=True)
class Remote:
    """Something the engine fetches: a git repository, an archive, a Dockerfile."""

    url: str


@dataclass(frozen=True, slots=True)
class Archive:
    """A tar from standard input, maybe compressed; ``first`` was read of it already."""

    first: bytes
    source: BinaryIO

    def pieces(self) -> Iterator[bytes]:
        yield self.first
        while piece := self.source.read(_PIECE):
            yield piece


@dataclass(frozen=True, slots=True)
class Empty:
    """No files."""


Context = Directory | Remote | Archive | Empty


@dataclass(frozen=True, slots=True)
class Inputs:
    """``dockerfile`` is its name below ``directory``, or within the context if that is empty.

    With ``text`` the Dockerfile itself is here.
    """

    context: Context
    dockerfile: str = DEFAULT
    directory: str = ""
    text: bytes | None = None


def resolve(context: str, file: str, stdin: BinaryIO | None = None) -> Inputs:
    """Raises ExitError for what is not there, InvalidArgumentError for what contradicts itself."""
    source = stdin if stdin is not None else sys.stdin.buffer
    if context == STDIN:
        return _from_stdin(file, source)
    if is_remote(context) and not os.path.isdir(context):
        if file == STDIN:
            return Inputs(Remote(context), text=_read_dockerfile(source))
        if os.path.isabs(file):
            return _beside(Remote(context), file)
        return Inputs(Remote(context), file or DEFAULT)
    if not os.path.isdir(context):
        reason = "not a directory" if os.path.exists(context) else f'path "{context}" not found'
        raise ExitError(FAILURE, f"unable to prepare context: {reason}")
    path = os.path.abspath(context)
    if file == STDIN:
        return Inputs(Directory(path), text=_read_dockerfile(source))
    return _beside(Directory(path), file or os.path.join(path, DEFAULT))


def is_remote(text: str) -> bool:
    """Whether the engine can fetch it."""
    if text.startswith(("http://", "https://", "git://", "github.com/", "git@")):
        return True
    return text.startswith("ssh://") or _GIT_HOST.match(text) is not None


def is_git(text: str) -> bool:
    """Whether it is a repository, rather than a file."""
    if text.startswith(("http://", "https://")):
        return bool(_GIT_SUFFIX.search(text))
    return is_remote(text)


def _from_stdin(file: str, source: BinaryIO) -> Inputs:
    if file == STDIN:
        raise InvalidArgumentError(
            "invalid argument: can't use stdin for both build context and dockerfile"
        )
    if source.isatty():
        raise InvalidArgumentError(
            "the context - is standard input, which is a terminal: pipe a Dockerfile or a tar in"
        )
    first = _read(source, _PEEKED)
    if _is_archive(first):
        return Inputs(Archive(first, source), file or DEFAULT)
    if not first.strip() and len(first) < _PEEKED:
        raise InvalidArgumentError("standard input is empty: pipe a Dockerfile or a tar in")
    return Inputs(Empty(), text=first + _read_dockerfile(source))


def _is_archive(first: bytes) -> bool:
    return first.startswith(_COMPRESSED) or first[257:262] == b"ustar"


def _read(source: BinaryIO, count: int) -> bytes:
    found = b""
    while len(found) < count and (piece := source.read(count - len(found))):
        found += piece
    return found


def _read_dockerfile(source: BinaryIO) -> bytes:
    text = _read(source, _LONGEST + 1)
    if len(text) > _LONGEST:
        raise InvalidArgumentError("the Dockerfile from standard input is longer than 16 MiB")
    return text


def _beside(context: Context, file: str) -> Inputs:
    path = os.path.abspath(file)
    if isinstance(context, Directory) and not os.path.exists(path) and not os.path.isabs(file):
        # As docker has it, a path that leads nowhere from here may be one within the context.
        within = os.path.join(context.path, file)
        path = within if os.path.exists(within) else path
    try:
        with open(path, "rb") as opened:
            opened.read(0)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ExitError(
            FAILURE, f"failed to read dockerfile: open {file}: {reason}; -f says which it is"
        ) from error
    return Inputs(context, os.path.basename(path), os.path.dirname(path))
