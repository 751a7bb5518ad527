"""What a registry's refusal means.

::

    {"errors": [{"code": "MANIFEST_UNKNOWN", "message": "manifest unknown", "detail": …}]}

The code decides where it is known, else the status. Details are not told on: they may be long, and
messages suffice. Docker prints ``manifest unknown: manifest unknown``; so is ``told``.
"""

import time
from collections.abc import Mapping

import msgspec

from boxship.distribution.errors import (
    BadRegistryAnswerError,
    RateLimitedError,
    RegistryDeniedError,
    RegistryError,
    RegistryNotFoundError,
    RegistryUnauthorizedError,
    RegistryUnavailableError,
)

_LONGEST_MESSAGE = 1000
_MOST_DIGITS = 18

_BY_CODE: Mapping[str, type[RegistryError]] = {
    "UNAUTHORIZED": RegistryUnauthorizedError,
    "DENIED": RegistryDeniedError,
    "MANIFEST_UNKNOWN": RegistryNotFoundError,
    "NAME_UNKNOWN": RegistryNotFoundError,
    "BLOB_UNKNOWN": RegistryNotFoundError,
    "TOOMANYREQUESTS": RateLimitedError,
    "UNAVAILABLE": RegistryUnavailableError,
}
_BY_STATUS: Mapping[int, type[RegistryError]] = {
    401: RegistryUnauthorizedError,
    403: RegistryDeniedError,
    404: RegistryNotFoundError,
    408: RegistryUnavailableError,
    429: RateLimitedError,
}


class _Entry(msgspec.Struct):
    code: str = ""
    message: str = ""


class _Document(msgspec.Struct):
    errors: tuple[_Entry, ...] | None = None
    # Token servers and proxies have forms of their own.
    details: str = ""
    message: str = ""
    error_description: str = ""
    error: str = ""


def refusal(
    status: int, headers: Mapping[str, str], body: bytes, *, assumed: str = ""
) -> RegistryError:
    """Return the error that an answer stands for.

    ``assumed`` is the code of an answer without a body, as those to HEAD are.
    """
    code, told = _read(body)
    if not code and not told and status == 404:
        code = assumed
    kind = _BY_CODE.get(code) or _BY_STATUS.get(status)
    spoken = code.lower().replace("_", " ")
    told = f"{spoken}: {told or spoken}" if code else told or _unexpected(status)
    pause = retry_after(headers)
    if kind is RateLimitedError:
        return RateLimitedError(told, retry_after=pause, code=code, told=told)
    if kind is RegistryUnavailableError or (kind is None and status >= 500):
        return RegistryUnavailableError(
            told, retry_after=pause, code=code, told=told, status=status
        )
    return (kind or BadRegistryAnswerError)(told, code=code, told=told, status=status)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that the answer asks to wait: a number or a date."""
    text = headers.get("Retry-After", "").strip()
    seconds = number(text)
    if seconds is not None:
        return float(seconds)
    import email.utils  # noqa: PLC0415 - large, and hardly ever wanted

    try:
        when = email.utils.parsedate_to_datetime(text).timestamp()
    except (ValueError, OverflowError):
        return None
    return max(0.0, when - time.time())


def number(text: str) -> int | None:
    """Read a header's number; ``None`` if it is none, or larger than any that makes sense."""
    is_one = text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS
    return int(text) if is_one else None


def _read(body: bytes) -> tuple[str, str]:
    try:
        document = msgspec.json.decode(body, type=_Document)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return "", ""
    if document.errors:
        first = document.errors[0]
        return _printable(first.code), _printable(first.message)
    told = document.details or document.message or document.error_description or document.error
    return "", _printable(told)


def _printable(text: str) -> str:
    """Leave out what would steer the terminal, or the log, that it ends up in."""
    return "".join(c if c.isprintable() else " " for c in text[:_LONGEST_MESSAGE]).strip()


def _unexpected(status: int) -> str:
    import http  # noqa: PLC0415

    try:
        phrase = http.HTTPStatus(status).phrase
    except ValueError:
        phrase = ""
    return f"received unexpected HTTP status: {status} {phrase}".rstrip()
