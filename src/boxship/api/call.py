"""One request on its way through an endpoint: what the client asks, decoded on demand."""

from dataclasses import dataclass
from typing import TypeVar

import msgspec
from msgspec import Struct

from boxship.api.backend import Backend
from boxship.api.http.messages import JSON, Request, Response
from boxship.api.requester import requester_of
from boxship.base.errors import InvalidArgumentError
from boxship.model.requester import Requester
from boxship.wire import parameters
from boxship.wire.adapt import adapted, adapted_list
from boxship.wire.decoding import decode_body, decode_list
from boxship.wire.versions import ApiVersion

T = TypeVar("T", bound=Struct)
Item = TypeVar("Item")

LONGEST_BODY = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Call:
    """A request, the version it is in, and what its path's variable stands for."""

    request: Request
    version: ApiVersion
    target: str
    backend: Backend

    def text(self, name: str) -> str:
        """Return a parameter, empty if it isn't there."""
        return self.request.parameter(name) or ""

    def boolean(self, name: str, *, default: bool = False) -> bool:
        return parameters.boolean(self.request.parameter(name), default=default)

    def integer(self, name: str) -> int | None:
        return parameters.integer(name, self.request.parameter(name))

    def characters(self, name: str) -> int:
        """Return one side of a terminal's size, which must be there."""
        return parameters.characters(name, self.request.parameter(name))

    def timestamp(self, name: str) -> int:
        return parameters.timestamp(name, self.request.parameter(name))

    def filters(self) -> dict[str, tuple[str, ...]]:
        return parameters.filters(self.request.parameter("filters"))

    @property
    def requester(self) -> Requester:
        """Who asks."""
        return requester_of(self.request)

    async def body(self, shape: type[T]) -> T:
        """Decode the request's JSON body, which has to be there."""
        body = await self.request.body.read(LONGEST_BODY)
        self.check_content_type(body)
        return decode_body(body, shape)

    async def list_body(self, item: type[Item]) -> tuple[Item, ...]:
        """Decode a JSON body that is a list, which has to be there."""
        body = await self.request.body.read(LONGEST_BODY)
        self.check_content_type(body)
        return decode_list(body, item)

    async def optional_body(self, shape: type[T]) -> T:
        """Decode the body, or return the shape's defaults if there is none."""
        body = await self.request.body.read(LONGEST_BODY)
        if not body:
            return shape()
        self.check_content_type(body)
        return decode_body(body, shape)

    def check_content_type(self, body: bytes) -> None:
        given = self.request.headers.get("content-type", "")
        if given.partition(";")[0].strip().lower() == JSON or (not given and not body):
            return
        raise InvalidArgumentError(
            f"unsupported Content-Type header ({given}): must be 'application/json'"
        )

    def json(self, answer: Struct, status: int = 200) -> Response:
        """Answer with a struct, as the client's version has it."""
        return Response(status, adapted(answer, self.version) + b"\n")

    def json_list(self, answers: list[T]) -> Response:
        return Response(200, adapted_list(answers, self.version) + b"\n")

    def joined(self, answers: list[bytes]) -> Response:
        """Answer with a list of structs that are encoded already."""
        return Response(200, b"[%b]\n" % b",".join(answers))


def plain_json(value: object, status: int = 200) -> Response:
    """Answer with what looks the same in every version."""
    return Response(status, msgspec.json.encode(value) + b"\n")


NO_CONTENT = Response(204, content_type=None)
EMPTY = Response(200, content_type=None)
CREATED = Response(201, content_type=None)
