"""What volumes can beyond Docker: new names, copies, archives, and files in and out.

``clone`` and ``snapshot`` answer as a pull does, with a stream of progress; its last line
says that the volume is there. The rest of the routes have the forms of those of containers.
"""

from collections.abc import AsyncGenerator, AsyncIterator

from boxship.api.call import EMPTY, NO_CONTENT, Call
from boxship.api.http.messages import Answer, Chunk, Response, Stream
from boxship.api.streams import told
from boxship.api.views import volumes as views
from boxship.api.views.paths import path_stat
from boxship.api.views.transfers import copying
from boxship.base.errors import InvalidArgumentError
from boxship.engine.housekeeping.volumecopies import Copied, CopyVolume
from boxship.engine.volumes.requests import CreateVolume
from boxship.wire import volumes as shapes
from boxship.wire.jsonstream import Progress

_TAR = "application/x-tar"
_STAT = "X-Docker-Container-Path-Stat"


async def rename(call: Call) -> Answer:
    await call.backend.volumes.rename(call.target, call.text("name"))
    return NO_CONTENT


async def clone(call: Call) -> Answer:
    return await _copy(call, read_only=False)


async def snapshot(call: Call) -> Answer:
    return await _copy(call, read_only=True)


async def _copy(call: Call, *, read_only: bool) -> Answer:
    body = await call.body(shapes.CopyBody)
    wish = CopyVolume(body.name, body.labels, read_only, body.pause)
    return Stream(told(_copying(call, wish)), awaits_first=True, endless=True)


async def _copying(call: Call, wish: CopyVolume) -> AsyncGenerator[Progress, None]:
    events = call.backend.volume_copies.copy(call.target, wish)
    try:
        async for event in events:
            if isinstance(event, Copied):
                yield copying(event, call.target)
            else:
                yield Progress(status=f"Made {event.record.name}")
    finally:
        await events.aclose()


async def export(call: Call) -> Answer:
    call.backend.volumes.inspect(call.target)
    return Stream(call.backend.volume_copies.export(call.target), _TAR, awaits_first=True)


async def import_(call: Call) -> Answer:
    labels = dict(_label(text) for text in call.request.query.get("label", ()))
    request = CreateVolume(call.text("name"), labels=labels or None)
    made = await call.backend.volume_copies.import_(request, aiter(call.request.body))
    return call.json(views.row(made), 201)


def _label(text: str) -> tuple[str, str]:
    key, _, value = text.partition("=")
    return key, value


async def look(call: Call) -> Answer:
    found = await call.backend.volume_copies.look(call.target, call.text("path"))
    return Response(200, content_type=None, headers={_STAT: path_stat(found)})


async def read(call: Call) -> Answer:
    copies, path = call.backend.volume_copies, call.text("path")
    found = await copies.look(call.target, path)
    chunks: AsyncIterator[Chunk] = copies.read_files(call.target, path)
    return Stream(chunks, _TAR, awaits_first=True, headers={_STAT: path_stat(found)})


async def write(call: Call) -> Answer:
    path = call.text("path")
    if not path:
        raise InvalidArgumentError("bad parameter: path cannot be empty")
    keep_kinds = call.boolean("noOverwriteDirNonDir")
    await call.backend.volume_copies.write_files(
        call.target, path, aiter(call.request.body), keep_kinds=keep_kinds
    )
    return EMPTY


ROUTES = (
    ("POST", "/volumes/import", import_),
    ("POST", "/volumes/{name}/rename", rename),
    ("POST", "/volumes/{name}/clone", clone),
    ("POST", "/volumes/{name}/snapshot", snapshot),
    ("GET", "/volumes/{name}/export", export),
    ("HEAD", "/volumes/{name}/archive", look),
    ("GET", "/volumes/{name}/archive", read),
    ("PUT", "/volumes/{name}/archive", write),
)
