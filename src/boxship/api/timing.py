"""How long each route takes, from the call of its endpoint to the beginning of its answer."""

import logging
from collections.abc import Awaitable
from time import perf_counter

from boxship.api.call import Call
from boxship.api.errors import status_of
from boxship.api.http.messages import Answer, HandedOver, Response
from boxship.api.router import Endpoint
from boxship.base.metrics import Histogram

_log = logging.getLogger(__name__)

_BEGUN, _SWITCHED = 200, 101


def timed(method: str, pattern: str, endpoint: Endpoint, histogram: Histogram) -> Endpoint:
    """Return the endpoint, with its calls observed by method, pattern and status."""

    def observe(begun: float, status: int) -> None:
        seconds = perf_counter() - begun
        histogram.observe(seconds, method, pattern, str(status))
        if _log.isEnabledFor(logging.DEBUG):
            about = {"method": method, "route": pattern, "status": status}
            _log.debug("answered", extra={**about, "seconds": f"{seconds:.6f}"})

    async def awaited(begun: float, coming: Awaitable[Answer]) -> Answer:
        try:
            answer = await coming
        except Exception as error:
            observe(begun, status_of(error))
            raise
        observe(begun, _status(answer))
        return answer

    def call(asked: Call) -> Answer | Awaitable[Answer]:
        begun = perf_counter()
        try:
            answer = endpoint(asked)
        except Exception as error:
            observe(begun, status_of(error))
            raise
        if isinstance(answer, Awaitable):
            return awaited(begun, answer)
        observe(begun, _status(answer))
        return answer

    return call


def _status(answer: Answer) -> int:
    if isinstance(answer, Response):
        return answer.status
    return _SWITCHED if isinstance(answer, HandedOver) else _BEGUN
