"""Reading what clients of BuildKit write as text: lists, numbers, switches."""

import csv
from collections.abc import Mapping

from boxship.base.errors import InvalidArgumentError
from boxship.oci import platform as platforms
from boxship.oci import reference as references
from boxship.oci.platform import Platform, PlatformError
from boxship.oci.reference import InvalidReferenceError, Reference

_TRUE = frozenset({"1", "t", "T", "true", "TRUE", "True"})
_FALSE = frozenset({"0", "f", "F", "false", "FALSE", "False"})

Attributes = Mapping[str, str]


def boolean(attributes: Attributes, name: str, *, default: bool = False) -> bool:
    """Return a switch, as Go's ``ParseBool`` reads it. InvalidArgumentError."""
    text = attributes.get(name, "")
    if not text:
        return default
    if text not in _TRUE | _FALSE:
        raise InvalidArgumentError(f"invalid boolean value for {name}: {text!r}")
    return text in _TRUE


def number(attributes: Attributes, name: str, default: int = 0) -> int:
    """Return a whole number. InvalidArgumentError."""
    text = attributes.get(name, "")
    try:
        return int(text) if text else default
    except ValueError:
        raise InvalidArgumentError(f"invalid number for {name}: {text!r}") from None


def words(attributes: Attributes, name: str) -> tuple[str, ...]:
    """Return a comma-separated list without its empty members."""
    return tuple(word.strip() for word in attributes.get(name, "").split(",") if word.strip())


def fields(text: str) -> tuple[str, ...]:
    """Return the fields of a line of comma-separated values, of which some may be quoted."""
    rows = list(csv.reader([text]))
    return tuple(rows[0]) if rows else ()


def prefixed(attributes: Attributes, prefix: str) -> dict[str, str]:
    """Return what is named ``<prefix>…``, without the prefix."""
    return {
        name.removeprefix(prefix): value
        for name, value in attributes.items()
        if name.startswith(prefix)
    }


def names(attributes: Attributes) -> tuple[Reference, ...]:
    """Return the names an image is to have. InvalidArgumentError."""
    try:
        return tuple(
            references.parse(name).with_default_tag() for name in words(attributes, "name")
        )
    except InvalidReferenceError as error:
        raise InvalidArgumentError(f"invalid image name: {error}") from error


def platform_list(attributes: Attributes) -> tuple[Platform, ...]:
    """Return the platforms to build for, in order. InvalidArgumentError."""
    try:
        return tuple(platforms.parse(text) for text in words(attributes, "platform"))
    except PlatformError as error:
        raise InvalidArgumentError(f"failed to parse platform {error}") from error
