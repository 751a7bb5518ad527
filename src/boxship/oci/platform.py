"""Platforms: ``os/architecture[/variant]``, in the spelling Go and the image specification use."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from platform import machine

_COMPONENT = re.compile(r"[A-Za-z0-9_.-]+")
_OS = {"macos": "darwin"}
_ARCHITECTURE = {
    "x86_64": ("amd64", None),
    "x86-64": ("amd64", None),
    "i386": ("386", None),
    "i486": ("386", None),
    "i586": ("386", None),
    "i686": ("386", None),
    "aarch64": ("arm64", None),
    "armhf": ("arm", "v7"),
    "armel": ("arm", "v6"),
    "armv8l": ("arm", "v8"),
    "armv7l": ("arm", "v7"),
    "armv6l": ("arm", "v6"),
    "armv5tel": ("arm", "v5"),
    "ppc64el": ("ppc64le", None),
    "mips64el": ("mips64le", None),
}
_KNOWN_OS = re.compile(
    "aix|android|darwin|dragonfly|freebsd|illumos|ios|js|linux|netbsd|openbsd|plan9|solaris|"
    "wasip1|windows"
)
_KNOWN_ARCHITECTURE = re.compile(
    "386|amd64|arm|arm64|loong64|mips|mips64|mips64le|mipsle|ppc64|ppc64le|riscv64|s390x|wasm"
)
# What an ARM core of each variant runs, best first.
_ARM_RUNS = {
    "v8": ("v8", "v7", "v6", "v5"),
    "v7": ("v7", "v6", "v5"),
    "v6": ("v6", "v5"),
    "v5": ("v5",),
}


class PlatformError(ValueError):
    """The text names no platform."""


@dataclass(frozen=True, slots=True)
class Platform:
    """Where a program runs. Always normalised: use :func:`platform` or :func:`parse` to make one.

    ``variant`` is empty for the architecture's usual one (``amd64`` v1, ``arm64`` v8).
    """

    os: str
    architecture: str
    variant: str = ""

    def __str__(self) -> str:
        return "/".join(filter(None, (self.os, self.architecture, self.variant)))

    def asks_for(self, other: "Platform") -> bool:
        """Tell whether someone who asked for this platform gets what was asked for.

        An architecture or variant that either side leaves open fits any.
        """
        if not other.architecture:
            return self.os == other.os
        same = (self.os, self.architecture) == (other.os, other.architecture)
        return same and (not self.variant or self.variant == other.variant)

    def runs(self, other: "Platform") -> bool:
        """Tell whether a machine of this platform executes programs made for ``other``."""
        if self.os != other.os:
            return False
        if self.architecture != other.architecture:
            return (self.architecture, other.architecture) == ("arm64", "arm")
        if self.architecture == "arm":
            return other.variant in _ARM_RUNS.get(self.variant, (self.variant,))
        return not other.variant or self.variant == other.variant


def platform(os_name: str, architecture: str, variant: str = "") -> Platform:
    """Normalise the three parts: ``x86_64`` is ``amd64``, ``arm64/v8`` is ``arm64``."""
    os_name = _OS.get(os_name.lower(), os_name.lower())
    architecture, variant = architecture.lower(), variant.lower()
    architecture, implied = _ARCHITECTURE.get(architecture, (architecture, None))
    variant = implied or variant
    if variant.isdigit():
        variant = f"v{variant}"
    if architecture == "arm" and not variant:
        variant = "v7"
    if (architecture, variant) in (("arm64", "v8"), ("amd64", "v1")):
        variant = ""
    return Platform(os_name, architecture, variant)


def by_preference(target: Platform, offered: Sequence[Platform]) -> list[int]:
    """Return the places in ``offered`` of what ``target`` runs, best first.

    The same architecture comes before one that is run for compatibility, a newer variant before an
    older one; what is equal keeps its order.
    """

    runnable = [place for place, other in enumerate(offered) if target.runs(other)]
    runnable.sort(key=lambda place: offered[place].variant, reverse=True)
    return sorted(
        runnable,
        key=lambda place: (
            offered[place].architecture != target.architecture,
            offered[place].variant != target.variant,
        ),
    )


def host() -> Platform:
    """Return the platform of this machine."""
    return platform("linux", machine())


def parse(text: str, default: Platform | None = None) -> Platform:
    """Read ``linux``, ``arm64``, ``linux/amd64`` or ``linux/arm/v7``.

    What is missing comes from ``default`` (this machine). Raise :class:`PlatformError`.
    """
    default = default or host()
    parts = text.split("/", 3)
    for part in parts:
        if _COMPONENT.fullmatch(part) is None:
            raise PlatformError(
                f'"{part}" is an invalid component of "{text}": platform specifier component must '
                f'match "^{_COMPONENT.pattern}$": invalid argument'
            )
    if len(parts) > 3:
        raise PlatformError(f'"{text}": cannot parse platform specifier: invalid argument')
    if len(parts) > 1:
        return platform(*parts)
    only = parts[0].lower()
    if _KNOWN_OS.fullmatch(_OS.get(only, only)):
        return platform(only, default.architecture, default.variant)
    found = platform(default.os, only)
    if not _KNOWN_ARCHITECTURE.fullmatch(found.architecture):
        raise PlatformError(f'"{text}": unknown operating system or architecture: invalid argument')
    return found
