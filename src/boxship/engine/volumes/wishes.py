"""What may be asked of a volume: names, the driver and its options; pure."""

import re
from collections.abc import Mapping

from boxship.base.errors import InvalidArgumentError, NotFoundError
from boxship.engine.volumes.record import LOCAL

_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*")
_SHORTEST = 2
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


def check_driver(name: str, driver: str) -> None:
    """Raise NotFoundError for a driver there isn't."""
    if driver not in ("", LOCAL):
        raise NotFoundError(
            f'create {name}: error looking up volume plugin {driver}: plugin "{driver}" not found'
        )


def check_options(name: str, options: Mapping[str, str]) -> None:
    """Raise InvalidArgumentError for an option the local driver can't carry out."""
    for option in options:
        if option == "size":
            raise InvalidArgumentError(f"create {name}: quota size requested but no quota support")
        if option not in _NEEDS:
            raise InvalidArgumentError(f'create {name}: invalid option: "{option}"')
    for option in sorted(options):
        for needed in _NEEDS[option]:
            if needed not in options:
                raise InvalidArgumentError(f'create {name}: missing required option: "{needed}"')
