"""Authorization plugins: subclass :class:`AuthorizationPlugin`."""

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from boxship.plugin.sdk.serving import Answer, Json, Part, text, texts


@dataclass(frozen=True)
class ApiRequest:
    """A request of the Engine API."""

    method: str
    uri: str
    """Path and query, with the API's version in front: ``/v1.43/containers/create?name=a``."""
    user: str
    """The common name of the client's certificate; empty: came by a socket."""
    user_method: str
    headers: Mapping[str, str]
    body: bytes
    """Of JSON bodies all of it; archives aren't shown."""
    certificates: tuple[bytes, ...] = ()
    """PEM, the client's first; none: came by a socket."""

    def json(self) -> object:
        """Return what the body says; ``None``: there is none. ValueError: it is no JSON."""
        return json.loads(self.body) if self.body else None


@dataclass(frozen=True)
class ApiAnswer:
    """The answer to a request, before the client gets it."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class AuthorizationPlugin(Part):
    """Is asked about each request of the API, and each answer.

    Both methods return why it must not be; empty: it may. What they raise forbids it as well.
    """

    def before(self, asked: ApiRequest) -> str:
        """Judge a request."""
        del asked
        return ""

    def after(self, asked: ApiRequest, answer: ApiAnswer) -> str:
        """Judge an answer; of a stream there are the headers alone."""
        del asked, answer
        return ""

    def capability(self) -> str:
        return "authz"

    def calls(self) -> Mapping[str, Callable[[Json], Answer]]:
        return {
            "AuthZPlugin.AuthZReq": lambda wish: _verdict(self.before(_request(wish))),
            "AuthZPlugin.AuthZRes": lambda wish: _verdict(
                self.after(_request(wish), _answer(wish))
            ),
        }


def _verdict(why_not: str) -> Answer:
    return {"Allow": not why_not, "Msg": why_not}


def _request(wish: Json) -> ApiRequest:
    return ApiRequest(
        method=text(wish, "RequestMethod"),
        uri=text(wish, "RequestURI") or text(wish, "RequestUri"),
        user=text(wish, "User"),
        user_method=text(wish, "UserAuthNMethod"),
        headers=texts(wish, "RequestHeaders"),
        body=base64.b64decode(text(wish, "RequestBody")),
        certificates=_certificates(wish),
    )


def _certificates(wish: Json) -> tuple[bytes, ...]:
    sent = wish.get("RequestPeerCertificates")
    return tuple(base64.b64decode(str(one)) for one in sent) if isinstance(sent, list) else ()


def _answer(wish: Json) -> ApiAnswer:
    status = wish.get("ResponseStatusCode")
    return ApiAnswer(
        status=status if isinstance(status, int) else 0,
        headers=texts(wish, "ResponseHeaders"),
        body=base64.b64decode(text(wish, "ResponseBody")),
    )
