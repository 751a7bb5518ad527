"""What may be asked of a volume: names, the driver and its options; pure."""

import re
from collections.abc import Mapping

from boxship.base.errors import ConflictError, InvalidArgumentError
from boxship.base.units import parse_bytes

_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*")
_SHORTEST = 2
_SIZE = "size"
_NEEDS = {"device": ("type",), "type": ("device",), "o": ("device", "type")}
"""The options, each with those that it makes no sense without."""


def check_name(name: str) -> None:
    """Raise InvalidArgumentError for what can't be a volume's name."""
    if _NAME.fullmatch(name) is None:
        raise InvalidArgumentError(
            f'create {name}: "{name}" includes invalid characters for a local volume name, '
            'only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host '
            "directory, use absolute path"
        )
    if len(name) < _SHORTEST:
        raise InvalidArgumentError(
            f"create {name}: volume name is too short, names should be at least two "
            "alphanumeric characters"
        )


def check_same_driver(name: str, driver: str, found: str) -> None:
    """Raise ConflictError where a volume of that name is another driver's than was asked for."""
    if driver not in ("", found, found.removesuffix(":latest")):
        raise ConflictError(
            f"create {name}: driver '{found}' already has volume '{name}': volume name must be "
            "unique"
        )


def check_options(name: str, options: Mapping[str, str], *, limits_size: bool = False) -> None:
    """Raise InvalidArgumentError for an option the local driver can't carry out.

    ``limits_size``: the file system has project quotas.
    """
    for option in options:
        if option not in _NEEDS and option != _SIZE:
            raise InvalidArgumentError(f'create {name}: invalid option: "{option}"')
    if size_of(name, options) and (is_mounted(options) or not limits_size):
        hint = f": for a tmpfs say o=size={options[_SIZE]}" if options.get("type") else ""
        raise InvalidArgumentError(
            f"create {name}: quota size requested but no quota support{hint}"
        )
    for option in sorted(options):
        for needed in _NEEDS.get(option, ()):
            if needed not in options:
                raise InvalidArgumentError(f'create {name}: missing required option: "{needed}"')


def size_of(name: str, options: Mapping[str, str]) -> int:
    """Return how many bytes a volume may hold; 0: any. InvalidArgumentError: that is no size."""
    if _SIZE not in options:
        return 0
    try:
        return parse_bytes(options[_SIZE])
    except ValueError:
        raise InvalidArgumentError(f"create {name}: invalid size: '{options[_SIZE]}'") from None


def is_mounted(options: Mapping[str, str]) -> bool:
    """Tell whether options say that something is mounted on the volume's directory."""
    return "device" in options
