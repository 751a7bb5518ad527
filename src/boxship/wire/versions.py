"""Versions of the Engine API: ``1.N``, of which only ``N`` ever changes."""

import re
from functools import lru_cache
from typing import NewType

from boxship.base.errors import InvalidArgumentError

ApiVersion = NewType("ApiVersion", int)
"""The minor number: 56 stands for API 1.56."""

NEWEST = ApiVersion(56)
OLDEST = ApiVersion(24)

_COMPOSE_1 = "docker-compose/1."
_KNOWN_TO_COMPOSE_1 = ApiVersion(41)

_PREFIX = re.compile(r"/v([0-9.]+)(?=/)")


def text(version: ApiVersion) -> str:
    """Write a version as clients do: ``1.56``."""
    return f"1.{version}"


def split_path(path: str) -> tuple[str | None, str]:
    """Take ``/v1.41/info`` apart into the version's text (None without one) and ``/info``."""
    if not path.startswith("/v"):
        return None, path
    match = _PREFIX.match(path)
    if match is None:
        return None, path
    return match[1], path[match.end() :]


@lru_cache(maxsize=NEWEST + 1)
def parse(version: str | None, oldest: ApiVersion = OLDEST) -> ApiVersion:
    """Read the version of a request's path; none means the newest. Refuse what isn't served.

    ``oldest`` is what this daemon goes back to.
    """
    if version is None:
        return NEWEST
    major, _, minor = version.partition(".")
    try:
        number = (int(major), int(minor or 0))
    except ValueError as error:
        raise InvalidArgumentError(f"invalid API version: {version}") from error
    if number > (1, NEWEST):
        raise InvalidArgumentError(
            f"client version {version} is too new. Maximum supported API version is {text(NEWEST)}"
        )
    if number < (1, oldest):
        raise InvalidArgumentError(
            f"client version {version} is too old. Minimum supported API version is "
            f"{text(oldest)}, please upgrade your client to a newer version"
        )
    return ApiVersion(number[1])


def read_oldest(wanted: str) -> ApiVersion:
    """Read the oldest version that shall be served; empty: the oldest that can be. ValueError."""
    if not wanted:
        return OLDEST
    match = re.fullmatch(r"1\.([0-9]{1,3})", wanted)
    if match is None:
        raise ValueError(f"{wanted} (an API version is like {text(NEWEST)})")
    if not OLDEST <= int(match[1]) <= NEWEST:
        raise ValueError(f"{wanted} (this daemon has {text(OLDEST)} to {text(NEWEST)})")
    return ApiVersion(int(match[1]))


def understood(version: ApiVersion, agent: str) -> ApiVersion:
    """Return the version that a request is answered as: what it names, as far as its client goes.

    ``agent`` is its ``User-Agent``. docker-compose 1.x names whatever is the engine's newest, and
    then misses what went since its time: image inspect's ``ContainerConfig``, events' ``status``
    (ADR 66).
    """
    if version > _KNOWN_TO_COMPOSE_1 and agent.startswith(_COMPOSE_1):
        return _KNOWN_TO_COMPOSE_1
    return version
