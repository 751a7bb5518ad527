"""The Engine API as one function from requests to answers.

Every request goes the same way: route → version → gate → endpoint → answer, and every error
through ``errors.py``. A path or method that isn't there is "page not found", never 405.
"""

import logging
from collections.abc import Awaitable
from dataclasses import replace

from boxship.api.authorization import Asked, Gate, identity_of
from boxship.api.backend import Backend
from boxship.api.call import EMPTY, Call
from boxship.api.endpoints.table import ROUTES
from boxship.api.errors import answer_error
from boxship.api.http.messages import Answer, Request, Response
from boxship.api.noting import noted
from boxship.api.router import Router
from boxship.api.timing import timed
from boxship.wire.errors import encode_error
from boxship.wire.versions import parse, split_path, understood

log = logging.getLogger(__name__)

_METRICS = "/metrics"
_NOT_FOUND = Response(404, encode_error("page not found"))


class Application:
    """Answers requests by calling the backend."""

    def __init__(self, backend: Backend, gate: Gate | None = None) -> None:
        self._backend = backend
        self._gate = gate or Gate()
        self._oldest = backend.system.release.oldest
        self._router = Router()
        for method, pattern, endpoint in ROUTES:
            known = noted(method, pattern, endpoint)
            self._router.add(method, pattern, timed(method, pattern, known, backend.requests))

    def serve_metrics(self, request: Request) -> Answer | Awaitable[Answer]:
        """Answer ``/metrics`` and nothing else."""
        return self.serve(request) if request.path == _METRICS else _NOT_FOUND

    def serve(self, request: Request) -> Answer | Awaitable[Answer]:
        """Answer a request; what is awaited raises only if its client has gone."""
        log.debug("Calling %s %s", request.method, request.path)
        if request.method == "OPTIONS":
            return EMPTY
        version_text, path = split_path(request.path)
        found = self._router.find(request.method, path)
        if found is None:
            return _NOT_FOUND
        endpoint, target, pattern = found
        try:
            version = understood(
                parse(version_text, self._oldest), request.headers.get("user-agent", "")
            )
            call = Call(request, version, target, self._backend)
            if self._gate.stands_open(request):
                answer = endpoint(call)
            else:
                asked = Asked(identity_of(request), request, pattern, target)
                answer = self._gate.pass_through(
                    asked, self._backend, lambda backend: endpoint(replace(call, backend=backend))
                )
        except Exception as error:  # noqa: BLE001 - this is where every error gets its answer
            return answer_error(request, error)
        return answer if isinstance(answer, Response) else _awaited(request, answer)


async def _awaited(request: Request, coming: Answer | Awaitable[Answer]) -> Answer:
    try:
        return await coming if isinstance(coming, Awaitable) else coming
    except Exception as error:  # noqa: BLE001 - and this for those that come later
        return answer_error(request, error)
