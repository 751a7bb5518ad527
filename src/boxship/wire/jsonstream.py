r"""Streams of JSON objects: one a line, ended by ``\r\n`` for progress and ``\n`` for events."""

import msgspec
from msgspec import Struct, field


class ProgressDetail(Struct, frozen=True, omit_defaults=True):
    """How far something is, in bytes."""

    current: int = 0
    total: int = 0


class ErrorDetail(Struct, frozen=True, omit_defaults=True):
    """``code`` is an exit code or an HTTP status."""

    code: int = 0
    message: str = ""


class Outcome(Struct, frozen=True, omit_defaults=True, rename="pascal"):
    """What has come of it, for programs.

    Of a push: what a name is in its registry, the size being the manifest's. Of a build: the id
    of the image.
    """

    tag: str = ""
    digest: str = ""
    size: int = 0
    id: str = field(default="", name="ID")


class Progress(Struct, frozen=True, omit_defaults=True, rename="camel"):
    """One line of a pull, push, load or build."""

    stream: str = ""
    status: str = ""
    progress_detail: ProgressDetail | None = None
    progress: str = ""
    id: str = ""
    error_detail: ErrorDetail | None = None
    error: str = ""
    aux: Outcome | str | None = None
    """Text: bytes in base64, of BuildKit's messages."""


def encode_progress(message: Progress) -> bytes:
    return msgspec.json.encode(message) + b"\r\n"


def failure(message: str, code: int = 0) -> Progress:
    """Return the line that ends a stream that has begun and failed."""
    return Progress(error_detail=ErrorDetail(code=code, message=message), error=message)


def progress_bar(current: int, total: int, text: str) -> str:
    """Draw ``[====>    ] text`` as Docker's clients show it; 50 places wide and the head."""
    done = min(50, current * 50 // total) if total > 0 else 0
    return f"[{'=' * done}>{' ' * (50 - done)}] {text}"
