"""How an error looks: ``{"message": …}`` and a newline."""

import msgspec
from msgspec import Struct


class ErrorResponse(Struct, frozen=True):
    message: str


def encode_error(message: str) -> bytes:
    """Return the body of an error's answer."""
    return msgspec.json.encode(ErrorResponse(message)) + b"\n"
