"""Build arguments that are special: platforms', proxies, and those nobody has declared."""

from collections.abc import Iterable, Mapping

from boxship.dockerfile.scopes import (
    BUILTIN,
    PLATFORM_ARGUMENTS,
    PREDEFINED,
    platform_arguments,
)
from boxship.engine.build.planning.wish import Wish
from boxship.oci.platform import Platform


def of_platforms(wish: Wish) -> dict[str, str]:
    """Return the arguments that tell what is built for, and on what."""
    return {**_side("BUILD", wish.host), **_side("TARGET", wish.platform)}


def _side(side: str, platform: Platform) -> dict[str, str]:
    return platform_arguments(side, platform.os, platform.architecture, platform.variant)


def given(wish: Wish) -> dict[str, str]:
    """Return the client's arguments that have a value."""
    return {name: value for name, value in wish.build_args.items() if value is not None}


def proxies(arguments: Mapping[str, str | None]) -> tuple[tuple[str, str], ...]:
    """Return the proxies, which every step gets undeclared and which decide about no result."""
    found = ((name, value) for name, value in sorted(arguments.items()) if name in PREDEFINED)
    return tuple((name, value) for name, value in found if value is not None)


def unused(arguments: Iterable[str], declared: Iterable[str]) -> tuple[str, ...]:
    """Return the arguments given that nothing has declared."""
    fine = PREDEFINED | BUILTIN | set(PLATFORM_ARGUMENTS) | set(declared)
    return tuple(sorted(name for name in arguments if name not in fine))
