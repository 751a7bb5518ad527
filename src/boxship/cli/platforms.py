"""``--platform``, read before anything is sent."""

from collections.abc import Iterable

from boxship.base.errors import InvalidArgumentError
from boxship.oci.platform import Platform, PlatformError, parse


def wanted(texts: Iterable[str]) -> tuple[Platform, ...]:
    """Read ``linux/arm64`` and its like. Raise InvalidArgumentError naming the one that is none."""
    try:
        return tuple(parse(text) for text in texts)
    except PlatformError as error:
        raise InvalidArgumentError(f"invalid platform: {error}") from error
