"""``POST /build`` with version 2: a build over a session, as ``docker build`` of 20.10 asks for it.

The wishes are in the classic door's query, the files in a session that the client has opened, and
progress comes as BuildKit's messages, in base64, in lines of the classic door's stream::

    {"id": "moby.buildkit.trace", "aux": "<StatusResponse>"}
    {"id": "moby.image.id", "aux": {"ID": "sha256:…"}}

A context from the client's standard input is the body of a second request, whose ``buildid`` is
``upload-request:`` and the first one's.
"""

import asyncio
import base64
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace

import msgspec

from boxship.api.buildkit.outputs import outputs_of
from boxship.api.buildkit.progress import status_of, told
from boxship.api.buildkit.sessions import Sessions
from boxship.api.call import EMPTY, Call
from boxship.api.classic.request import build_request
from boxship.api.http.messages import Answer, Stream
from boxship.base.errors import BoxshipError, InvalidArgumentError
from boxship.engine.build.clientside import ClientSide, NoClient
from boxship.engine.build.progress import ProgressEvent, Tell
from boxship.engine.build.requests import (
    CONTEXT,
    DOCKERFILE,
    BuildRequest,
    ClientDirectory,
    DaemonDirectory,
    DockerfileAt,
    ImageOutput,
    Output,
    RemoteSource,
)
from boxship.engine.images.bridge import telling
from boxship.wire.buildkit.control import Exporter, SolveRequest
from boxship.wire.jsonstream import Outcome, Progress, encode_progress, failure
from boxship.wire.protobuf import encode

IN_SESSION, UPLOADED = "client-session", "upload-request"
_WITHIN = 5.0


class _Output(msgspec.Struct, rename="pascal"):
    type: str = ""
    attrs: dict[str, str] | None = None


@dataclass(slots=True, eq=False)
class Upload:
    """The body of another request, until the build has read it."""

    body: AsyncIterator[bytes]
    taken: asyncio.Event = field(default_factory=asyncio.Event)
    read: asyncio.Event = field(default_factory=asyncio.Event)


class Uploading:
    """Bodies that wait for their builds, and builds that wait for their bodies."""

    def __init__(self) -> None:
        self._offered: dict[str, Upload] = {}
        self._changed = asyncio.Condition()

    async def offer(self, name: str, body: AsyncIterator[bytes]) -> None:
        """Give a body to the build of that name, and return when it has been read."""
        upload = Upload(body)
        async with self._changed:
            if name in self._offered:
                raise InvalidArgumentError(f"the build {name} has its context already")
            self._offered[name] = upload
            self._changed.notify_all()
        try:
            async with asyncio.timeout(_WITHIN):
                await upload.taken.wait()
            await upload.read.wait()
        except TimeoutError:
            raise InvalidArgumentError(f"no build {name} has come for its context") from None
        finally:
            del self._offered[name]

    async def take(self, name: str) -> Upload:
        """Wait for the body of a build. InvalidArgumentError: it doesn't come."""
        try:
            async with asyncio.timeout(_WITHIN), self._changed:
                await self._changed.wait_for(lambda: name in self._offered)
                upload = self._offered[name]
        except TimeoutError:
            raise InvalidArgumentError(f"the context of build {name} was not uploaded") from None
        upload.taken.set()
        return upload


async def build_in_session(call: Call, sessions: Sessions, uploading: Uploading) -> Answer:
    """Build, or take what is uploaded for a build."""
    name = call.text("buildid")
    if name.startswith(UPLOADED + ":"):
        await uploading.offer(name.partition(":")[2], aiter(call.request.body))
        return EMPTY
    course = _Course(call, sessions, uploading)
    return Stream(_lines(course), awaits_first=True, endless=True)


class _Course:
    """One build under way."""

    def __init__(self, call: Call, sessions: Sessions, uploading: Uploading) -> None:
        self._call = call
        self._sessions = sessions
        self._uploading = uploading
        self._request = _request(call)
        self.quiet = call.boolean("q")
        self.image = ""

    async def run(self, tell: Tell) -> None:
        """Bring the context, and build."""
        call = self._call
        identifier = call.text("session")
        client: ClientSide = NoClient()
        if identifier:
            client = await self._sessions.get(identifier)
        async with AsyncExitStack() as stack:
            request = await self._with_context(stack)
            result = await call.backend.builds().build(request, client, tell)
        if result.images and any(isinstance(each, ImageOutput) for each in request.outputs):
            self.image = result.images[0].image_id

    async def _with_context(self, stack: AsyncExitStack) -> BuildRequest:
        call, remote = self._call, self._call.text("remote")
        if remote not in ("", UPLOADED):
            return self._request
        body = aiter(call.request.body)
        if remote == UPLOADED:
            upload = await self._uploading.take(call.text("buildid"))
            stack.callback(upload.read.set)
            body = upload.body
        directory = await stack.enter_async_context(call.backend.uploads().unpacked(body))
        return replace(self._request, context=DaemonDirectory(directory))


def _request(call: Call) -> BuildRequest:
    request, remote = replace(build_request(call), classic=False), call.text("remote")
    if outputs := call.text("outputs"):
        request = replace(request, outputs=_outputs(outputs, request))
    if remote == IN_SESSION:
        path = request.dockerfile.path if isinstance(request.dockerfile, DockerfileAt) else ""
        return replace(
            request,
            context=ClientDirectory(CONTEXT),
            dockerfile=DockerfileAt(path, ClientDirectory(DOCKERFILE)),
        )
    return replace(request, context=RemoteSource(remote)) if remote else request


def _outputs(text: str, request: BuildRequest) -> tuple[Output, ...]:
    try:
        given = msgspec.json.decode(text, type=list[_Output])
    except msgspec.DecodeError as error:
        raise InvalidArgumentError(f"invalid outputs: {error}") from error
    if len(given) > 1:
        raise InvalidArgumentError("multiple outputs not supported")
    names = [
        str(n) for each in request.outputs if isinstance(each, ImageOutput) for n in each.names
    ]
    exporters = tuple(
        Exporter(each.type, {"name": ",".join(names), **(each.attrs or {})})
        for each in given
        if each.type != "cacheonly"
    )
    return outputs_of(SolveRequest(exporters=exporters))


async def _lines(course: _Course) -> AsyncGenerator[bytes, None]:
    """Tell how it goes; once the first line has been said, a failure becomes the last."""
    events, begun = telling(course.run), False
    try:
        async for event in events:
            line = _trace(event)
            if line and not course.quiet:
                yield line
                begun = True
    except BoxshipError as error:
        if not begun:
            raise
        yield encode_progress(failure(str(error)))
        return
    finally:
        await events.aclose()
    if course.quiet:
        yield encode_progress(Progress(stream=f"{course.image}\n"))
    elif course.image:
        yield encode_progress(Progress(id="moby.image.id", aux=Outcome(id=course.image)))


def _trace(event: ProgressEvent) -> bytes:
    status = status_of((event,))
    if not told(status):
        return b""
    data = base64.b64encode(encode(status)).decode()
    return encode_progress(Progress(id="moby.buildkit.trace", aux=data))
