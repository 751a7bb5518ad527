"""Platforms in a query: as JSON (``{"os": "linux", "architecture": "arm64"}``) or as text."""

import msgspec

from boxship.api.call import Call
from boxship.base.errors import InvalidArgumentError
from boxship.oci.image import PlatformDocument
from boxship.oci.platform import Platform, PlatformError, parse, platform


def wanted_platform(call: Call) -> Platform | None:
    """Return the one platform that is asked for. InvalidArgumentError: several, or none at all."""
    found = wanted_platforms(call)
    if len(found) > 1:
        raise InvalidArgumentError("only one platform can be given")
    return found[0] if found else None


def wanted_platforms(call: Call, parameter: str = "platform") -> tuple[Platform, ...]:
    """Return the platforms that are asked for."""
    texts = call.request.query.get(parameter, ())
    return tuple(_platform(text) for text in texts if text)


def _platform(text: str) -> Platform:
    try:
        if not text.lstrip().startswith("{"):
            return parse(text)
        document = msgspec.json.decode(text, type=PlatformDocument)
    except (PlatformError, msgspec.DecodeError) as error:
        raise InvalidArgumentError(f"failed to parse platform: {error}") from error
    if not document.os or not document.architecture:
        raise InvalidArgumentError(
            "failed to parse platform: both OS and Architecture must be provided"
        )
    return platform(document.os, document.architecture, document.variant)
