"""Authorization plugins as judges of the gate.

A plugin is shown what Docker shows: method, URI, headers without credentials, and the body where
it is JSON; behind the endpoint also the answer. Where Docker shows no body because it is larger
than a mebibyte, or says that it is something else, such a request is refused here or shown all the
same: who reads bodies to decide must not be passed by with spaces or another Content-Type. Only
the routes that take archives (:data:`ARCHIVES`) have bodies that nobody is shown.

A plugin that fails, hangs or has gone forbids: nothing passes for want of a judge.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec

from boxship.api.authorization import Asked
from boxship.api.http.messages import JSON, Response, Stream
from boxship.base.errors import BoxshipError, ForbiddenError, InternalError, UnavailableError
from boxship.engine.plugins.entry import PluginEntry
from boxship.plugin.authorization import (
    LARGEST_BODY,
    AskedRequest,
    AuthorizationPlugin,
    Verdict,
)
from boxship.plugin.capability import Capability

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

ARCHIVES = frozenset(
    {
        "/build",
        "/containers/{id}/archive",
        "/images/create",
        "/images/load",
        "/plugins/create",
        "/volumes/{name}/archive",
        "/volumes/import",
    }
)
"""Routes whose bodies are archives, of any length."""
_CREDENTIALS = "/auth"
_SECRET = frozenset({"x-registry-auth", "x-registry-config", "authorization"})
_SHOWN = "authorization plugins"


class PluginJudge:
    """Asks one plugin about each request and each answer."""

    def __init__(self, name: str, plugins: PluginEntry) -> None:
        self.name = name
        self._plugins = plugins

    async def check(self) -> None:
        """See that the plugin is there. NotFoundError; what activating it raises."""
        await self._plugins().provider(Capability.AUTHORIZATION, self.name)

    async def before(self, asked: Asked) -> None:
        """Have a request judged. ForbiddenError; UnavailableError, InternalError: no verdict."""
        shown = asked.notes.get(_SHOWN)
        if not isinstance(shown, AskedRequest):
            asked.notes[_SHOWN] = shown = await _shown(asked)
        await self._ask(lambda plugin: plugin.before(shown))

    async def after(self, asked: Asked, answer: Response | Stream) -> None:
        """Have an answer judged. Errors as of :meth:`before`."""
        shown = asked.notes.get(_SHOWN)
        if isinstance(shown, AskedRequest):
            with_answer = _with_answer(shown, asked, answer)
            await self._ask(lambda plugin: plugin.after(with_answer))

    async def _ask(self, question: "Callable[[AuthorizationPlugin], Awaitable[Verdict]]") -> None:
        try:
            provider = await self._plugins().provider(Capability.AUTHORIZATION, self.name)
            verdict = await question(AuthorizationPlugin(provider.client))
        except BoxshipError as error:
            told = f"plugin {self.name} failed with error: {error}"
            kind = UnavailableError if isinstance(error, UnavailableError) else InternalError
            raise kind(told) from error
        if not verdict.allow:
            raise ForbiddenError(f"authorization denied by plugin {self.name}: {verdict.msg}")


async def _shown(asked: Asked) -> AskedRequest:
    """Return what plugins are shown of a request. ForbiddenError: its body is too long for that."""
    request = asked.request
    body: bytes | None = b""
    if asked.pattern not in ARCHIVES and asked.pattern != _CREDENTIALS:
        body = await request.body.peek(LARGEST_BODY)
        if body is None:
            raise ForbiddenError(
                f"authorization denied: the request's body is longer than {LARGEST_BODY} bytes, "
                "which authorization plugins can't be shown"
            )
    query = f"?{request.query_string}" if request.query_string else ""
    return AskedRequest(
        request_method=request.method,
        request_uri=f"{request.path}{query}",
        user=asked.identity.user,
        user_auth_n_method=asked.identity.method,
        request_body=body or b"",
        request_headers=_headers(request.headers),
        request_peer_certificates=asked.identity.certificates,
    )


def _with_answer(shown: AskedRequest, asked: Asked, answer: Response | Stream) -> AskedRequest:
    headers = _headers(answer.headers)
    if answer.content_type:
        headers["Content-Type"] = answer.content_type
    body = b""
    status = 200
    if isinstance(answer, Response):
        status = answer.status
        if answer.content_type == JSON and asked.pattern != _CREDENTIALS:
            body = answer.body
    return msgspec.structs.replace(
        shown,
        response_status_code=status,
        response_headers=headers,
        response_body=body,
    )


def _headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return headers as Go writes them, without those that hold credentials."""
    return {
        "-".join(word.capitalize() for word in name.split("-")): value
        for name, value in headers.items()
        if name.lower() not in _SECRET
    }
