"""Metrics for Prometheus, and a look into the daemon while it runs.

``/metrics`` is also what ``metrics-addr`` serves. What is below ``/debug`` is there while the
daemon is in debug mode, which a reload switches on and off.
"""

from collections.abc import Iterable

from boxship.api.call import Call
from boxship.api.http.messages import Answer, Response
from boxship.base.errors import InvalidArgumentError, NotFoundError
from boxship.base.metrics import CONTENT_TYPE, Family, exposition

_TEXT = "text/plain; charset=utf-8"
_LONGEST_PROFILE = 300
_INDEX = b"""\
/debug/vars                what the daemon's process holds
/debug/stacks              where each thread and task stands
/debug/profile?seconds=10  where its time goes meanwhile, as folded stacks
"""


async def metrics(call: Call) -> Answer:
    backend = call.backend
    families: Iterable[Family] = (
        *backend.system.families(),
        backend.requests.family(),
        *await backend.metrics().families(),
    )
    return Response(200, exposition(families).encode(), CONTENT_TYPE)


def index(call: Call) -> Answer:
    _check(call)
    return Response(200, _INDEX, _TEXT)


def variables(call: Call) -> Answer:
    _check(call)
    return call.json(call.backend.system.variables())


def stacks(call: Call) -> Answer:
    _check(call)
    return Response(200, call.backend.system.stacks().encode(), _TEXT)


async def profile(call: Call) -> Answer:
    _check(call)
    seconds = call.integer("seconds")
    seconds = 10 if seconds is None else seconds
    if not 0 < seconds <= _LONGEST_PROFILE:
        raise InvalidArgumentError(f"invalid seconds: {seconds}: from 1 to {_LONGEST_PROFILE}")
    return Response(200, (await call.backend.system.profile(seconds)).encode(), _TEXT)


def _check(call: Call) -> None:
    if not call.backend.system.daemon.debug:
        raise NotFoundError(
            "page not found: the daemon is not in debug mode (--debug, or debug in daemon.json)"
        )


ROUTES = (
    ("GET", "/metrics", metrics),
    ("GET", "/debug", index),
    ("GET", "/debug/vars", variables),
    ("GET", "/debug/stacks", stacks),
    ("GET", "/debug/profile", profile),
)
