"""Which daemon a command line means: a host, a context, or the default socket.

::

    -H, or --context                       both at once: refused
    BOXSHIP_HOST, DOCKER_HOST              a host; no context counts then
    DOCKER_CONTEXT                         a context
    currentContext of config.json          what `context use` has chosen
    otherwise                              the default socket

The context ``default`` is what would hold if there were no contexts.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from boxship.base.errors import InvalidArgumentError, NotFoundError
from boxship.client.endpoint import Choice, TlsOptions, choose

DEFAULT = "default"


class Target(NamedTuple):
    """What the global flags say."""

    host: str | None
    context: str | None
    tls: TlsOptions


def context_name(target: Target, environment: Mapping[str, str], current: Callable[[], str]) -> str:
    """Return the context that holds. ``current`` is that of the configuration."""
    if target.host and target.context:
        raise InvalidArgumentError("conflicting options: cannot specify both --host and --context")
    if target.context:
        return target.context
    if target.host or overriding(environment):
        return DEFAULT
    return environment.get("DOCKER_CONTEXT") or current() or DEFAULT


def overriding(environment: Mapping[str, str]) -> str:
    """Return the variable that keeps contexts from counting; empty if there is none."""
    return next((name for name in ("BOXSHIP_HOST", "DOCKER_HOST") if environment.get(name)), "")


def chosen(
    target: Target, name: str, environment: Mapping[str, str], config_directory: str
) -> Choice:
    """Return the daemon. NotFoundError: there is no such context."""
    if name == DEFAULT:
        return choose(target.host, target.tls, environment)
    from boxship.client.contexts import ContextStore

    try:
        return ContextStore(config_directory).choice(name)
    except NotFoundError as error:
        message = f"Failed to initialize: unable to resolve docker endpoint: {error}"
        raise NotFoundError(message) from error
