"""``POST /session``: what a builder may ask of us while it builds.

::

    builder ── POST /session, upgraded ──► Link ──► Session.services[path](call), each in a thread

A service takes the call, reads its messages and sends answers; returning is the good end, raising
``GrpcError`` another. The builder is told in headers which services there are, and asks for others
never, but for its health check.
"""

import secrets
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from boxship.base.errors import BoxshipError, NotFoundError
from boxship.client.buildkit.link import Call, Link, Serve
from boxship.client.engine import EngineClient
from boxship.wire.buildkit import methods
from boxship.wire.buildkit.session import METHODS, SESSION_ID, SESSION_NAME, SHARED_KEY
from boxship.wire.grpc.status import Code, GrpcError

_SERVING = b"\x08\x01"  # grpc.health.v1.HealthCheckResponse, status SERVING

Services = Mapping[str, Serve]


class Session:
    """Open for as long as it is entered. ``shared_key`` tells the builder which directories of ours
    it has seen before."""

    def __init__(
        self, client: EngineClient, services: Services, *, name: str = "", shared_key: str = ""
    ) -> None:
        self.id = secrets.token_hex(12)
        self._services = {**services, methods.HEALTH_CHECK.path: _healthy}
        self._link: Link | None = None
        self._client = client
        self._headers = [
            (SESSION_ID, self.id),
            (SESSION_NAME, _ascii(name)),
            (SHARED_KEY, shared_key),
            *((METHODS, path) for path in self._services),
        ]

    def __enter__(self) -> Self:
        stream = self._client.hijack(
            "POST", "/session", protocol="h2c", headers=tuple(self._headers)
        )
        self._link = Link(stream, serve=self._serve)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._link is not None:
            self._link.close()

    def _serve(self, call: Call) -> None:
        service = self._services.get(call.path)
        if service is None:
            raise GrpcError(Code.UNIMPLEMENTED, f"unknown method {call.path}")
        try:
            service(call)
        except NotFoundError as error:
            raise GrpcError(Code.NOT_FOUND, str(error)) from error
        except BoxshipError as error:
            raise GrpcError(Code.UNKNOWN, str(error)) from error
        except OSError as error:
            what = f"{error.filename}: " if error.filename else ""
            raise GrpcError(Code.UNKNOWN, f"{what}{error.strerror or error}") from error


def _healthy(call: Call) -> None:
    call.receive()
    call.send(_SERVING)


def _ascii(text: str) -> str:
    return text.encode("ascii", "replace").decode()
