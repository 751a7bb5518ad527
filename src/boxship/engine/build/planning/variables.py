"""What variables an instruction sees: build arguments by scope, and the environment over them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from boxship.engine.build.planning.wish import Wish
from boxship.oci.platform import Platform

PROXIES = frozenset(
    name
    for lower in ("http_proxy", "https_proxy", "ftp_proxy", "no_proxy", "all_proxy")
    for name in (lower, lower.upper())
)
"""Arguments that every ``RUN`` sees undeclared, and that decide about no result."""

_OURS = ("BUILDKIT_", "SOURCE_DATE_EPOCH")
"""Arguments that speak to the builder."""


def of_platforms(wish: Wish) -> dict[str, str]:
    """Return the arguments that tell what is built for, and on what."""
    return {
        **_of_platform("BUILD", wish.host),
        **_of_platform("TARGET", wish.platform),
        "TARGETSTAGE": wish.target or "default",
    }


def _of_platform(prefix: str, platform: Platform) -> dict[str, str]:
    return {
        f"{prefix}PLATFORM": str(platform),
        f"{prefix}OS": platform.os,
        f"{prefix}ARCH": platform.architecture,
        f"{prefix}VARIANT": platform.variant,
    }


def proxies(given: Mapping[str, str | None]) -> tuple[tuple[str, str], ...]:
    """Return the proxies among the arguments given."""
    return tuple((n, v) for n, v in sorted(given.items()) if n in PROXIES and v is not None)


@dataclass(slots=True)
class Globals:
    """Arguments before the first ``FROM``."""

    given: Mapping[str, str | None]
    predefined: Mapping[str, str]
    values: dict[str, str] = field(default_factory=dict)
    declared: set[str] = field(default_factory=set)

    def declare(self, name: str, default: str | None) -> None:
        """Take an ``ARG``; what was given goes before its default."""
        self.declared.add(name)
        value = self.given.get(name, default)
        if value is None:
            value = default if default is not None else self.predefined.get(name)
        if value is not None:
            self.values[name] = value

    @property
    def seen(self) -> dict[str, str]:
        """What ``FROM`` sees."""
        return {**self.predefined, **self.values}


@dataclass(slots=True)
class Arguments:
    """The arguments that a stage has declared so far."""

    around: Globals
    values: dict[str, str] = field(default_factory=dict)
    declared: set[str] = field(default_factory=set)

    def declare(self, name: str, default: str | None) -> None:
        """Take an ``ARG``: given, or its default, or the value it had before the first ``FROM``."""
        self.declared.add(name)
        value = self.around.given.get(name)
        if value is None:
            value = default
        if value is None:
            value = self.around.values.get(name, self.around.predefined.get(name))
        if value is not None:
            self.values[name] = value

    def copy(self) -> "Arguments":
        """Return those of a stage that stands on this one."""
        return Arguments(self.around, dict(self.values), set(self.declared))

    def of_run(self, env: Iterable[str]) -> tuple[tuple[str, str], ...]:
        """Return what a ``RUN`` sees beside the environment, which goes before it."""
        hidden = set(env)
        return tuple((n, v) for n, v in sorted(self.values.items()) if n not in hidden)


def unused(given: Iterable[str], declared: set[str]) -> tuple[str, ...]:
    """Return the arguments given that nothing has declared."""
    fine = declared | PROXIES
    return tuple(sorted(n for n in given if n not in fine and not n.startswith(_OURS)))
