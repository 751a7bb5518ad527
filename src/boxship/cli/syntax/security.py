"""``--security-opt`` and capabilities."""

import json
from collections.abc import Iterable
from typing import NamedTuple

from boxship.base.errors import InvalidArgumentError


class SecurityOptions(NamedTuple):
    """What goes to the daemon; ``bare_paths`` is ``systempaths=unconfined``."""

    options: tuple[str, ...]
    bare_paths: bool


def read_security_options(given: Iterable[str]) -> SecurityOptions:
    """Check the options and put the content of a seccomp profile in place of its file name."""
    options: list[str] = []
    bare_paths = False
    for option in given:
        if option == "systempaths=unconfined":
            bare_paths = True
            continue
        options.append(_read_option(option))
    return SecurityOptions(tuple(options), bare_paths)


def _read_option(option: str) -> str:
    key, separator, value = option.partition("=")
    if not separator:
        key, separator, value = option.partition(":")
        if not separator and option != "no-new-privileges":
            raise InvalidArgumentError(f'Invalid --security-opt: "{option}"')
    if key != "seccomp" or value in ("unconfined", "builtin"):
        return option
    try:
        with open(value, encoding="utf-8") as file:
            profile = json.load(file)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise InvalidArgumentError(
            f"opening seccomp profile ({value}) failed: open {value}: {reason}"
        ) from error
    except ValueError as error:
        raise InvalidArgumentError(
            f"compacting json for seccomp profile ({value}) failed: {error}"
        ) from error
    return f"seccomp={json.dumps(profile, separators=(',', ':'), ensure_ascii=False)}"


def capabilities(
    added: Iterable[str], dropped: Iterable[str]
) -> tuple[list[str] | None, list[str] | None]:
    """Both lists with full names, sorted; None when empty."""
    adds, drops = _normalized(added), _normalized(dropped)
    return sorted(adds) or None, sorted(drops) or None


def _normalized(names: Iterable[str]) -> set[str]:
    upper = (name.strip().upper() for name in names)
    return {name if name == "ALL" or name.startswith("CAP_") else f"CAP_{name}" for name in upper}
