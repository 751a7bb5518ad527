"""Options from environment variables: ``BOXSHIP_DATA_ROOT=/srv/boxship``.

A variable is ``BOXSHIP_`` and the option's key in ``daemon.json`` (its flag where it has none) in
capitals, ``-`` as ``_``. It has precedence over the file, and flags over it. Lists are
separated by commas, maps are ``key=value,…``; whatever begins with ``[`` or ``{`` is JSON, as it
would stand in the file. Of dockerd's own variables those that mean something here are honoured.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from boxship.base.errors import InvalidArgumentError
from boxship.daemon.jsontext import JsonTextError, read
from boxship.daemon.option import Kind, Option, Value
from boxship.daemon.options import BY_NAME, OPTIONS
from boxship.daemon.values import from_json, from_words

PREFIX = "BOXSHIP_"

_NOT_FROM_THERE = ("help", "version", "validate")
_OF_OTHERS = ("BOXSHIP_HOST", "BOXSHIP_CONTEXT", "BOXSHIP_API_CALLS", "BOXSHIP_SEALED")
"""The client's, and those of tests and of the runtime."""
_LISTS = (Kind.LIST, Kind.MAP, Kind.MAPS)
_DOCKERS: Mapping[str, str] = MappingProxyType(
    {"DOCKER_DRIVER": "storage-driver", "DOCKER_MIN_API_VERSION": "min-api-version"}
)


def variable_of(option: Option) -> str:
    """Return the variable that sets an option; empty: none does."""
    if option.name in _NOT_FROM_THERE:
        return ""
    return PREFIX + option.name.upper().replace("-", "_")


def read_environment(environment: Mapping[str, str]) -> dict[Option, Value]:
    """Return what the environment sets. InvalidArgumentError names the variable."""
    found = {}
    for name, key in _DOCKERS.items():
        if text := environment.get(name):
            found[BY_NAME[key]] = _value(name, BY_NAME[key], text)
    for option in OPTIONS:
        name = variable_of(option)
        if name and (text := environment.get(name)) is not None:
            found[option] = _value(name, option, text)
    return found


def wants_verified_clients(environment: Mapping[str, str], hosts: Iterable[str]) -> bool:
    """Tell whether ``DOCKER_TLS_VERIFY`` asks for client certificates: only TCP can have them.

    dockerd takes it for every host; but it is the client's variable, too, and who has set it for
    another machine's daemon still wants to start one here.
    """
    on_tcp = (not host.startswith(("unix://", "fd://", "/")) for host in hosts)
    return bool(environment.get("DOCKER_TLS_VERIFY")) and any(on_tcp)


def unknown_variables(environment: Iterable[str]) -> tuple[str, ...]:
    """Return variables that look like ours and set nothing: somebody has mistyped them."""
    known = {variable_of(option) for option in OPTIONS}.union(_OF_OTHERS)
    return tuple(sorted(n for n in environment if n.startswith(PREFIX) and n not in known))


def _value(name: str, option: Option, text: str) -> Value:
    try:
        if text[:1] in ("[", "{") or option.kind in (Kind.TREE, Kind.OBJECT):
            return from_json(option, read(text).value)
        parts = text.split(",") if option.kind in _LISTS else [text]
        return from_words(option, [part.strip() for part in parts] if text else [])
    except (InvalidArgumentError, JsonTextError) as error:
        raise InvalidArgumentError(f"{name}: {error}") from error
