"""Containers' files: what was changed, all of them, and an image made of them."""

from boxship.api.call import EMPTY, LONGEST_BODY, Call, plain_json
from boxship.api.http.messages import Answer, Response, Stream
from boxship.api.views.paths import path_stat
from boxship.base.errors import InvalidArgumentError
from boxship.engine.containers.requests import CommitRequest
from boxship.model.container import ContainerConfig
from boxship.model.filechange import FileChange
from boxship.wire import containers as shapes
from boxship.wire.decoding import decode_body

_TAR = "application/octet-stream"
_STAT = "X-Docker-Container-Path-Stat"


async def changes(call: Call) -> Answer:
    found = await call.backend.container_files.changes(call.target)
    return call.json_list([_row(change) for change in found]) if found else plain_json(None)


def _row(change: FileChange) -> shapes.ChangeRow:
    # JSON has no bytes: as Go does, what is no UTF-8 is shown as a replacement character.
    return shapes.ChangeRow(change.path.decode("utf-8", "replace"), change.kind.value)


async def export(call: Call) -> Answer:
    return Stream(call.backend.container_files.export(call.target), _TAR, awaits_first=True)


async def commit(call: Call) -> Answer:
    container = call.text("container")
    if not container:
        raise InvalidArgumentError('invalid name or ID supplied: ""')
    repository, tag = call.text("repo"), call.text("tag")
    request = CommitRequest(
        reference=f"{repository}:{tag}" if repository and tag else repository,
        comment=call.text("comment"),
        author=call.text("author"),
        pause=call.boolean("pause", default=True),
        changes=tuple(call.request.query.get("changes", ())),
        config=await _config(call),
    )
    image_id = await call.backend.container_files.commit(container, request)
    return call.json(shapes.CommitAnswer(str(image_id)), 201)


async def _config(call: Call) -> ContainerConfig | None:
    """Clients that want nothing special send no body, or ``null``."""
    body = await call.request.body.read(LONGEST_BODY)
    if body.strip() in (b"", b"null"):
        return None
    call.check_content_type(body)
    return decode_body(body, ContainerConfig)


async def look(call: Call) -> Answer:
    found = await call.backend.container_files.look(call.target, _path(call))
    return Response(200, content_type=None, headers={_STAT: path_stat(found)})


async def read(call: Call) -> Answer:
    path = _path(call)
    found = await call.backend.container_files.look(call.target, path)
    chunks = call.backend.container_files.read(call.target, path)
    return Stream(chunks, "application/x-tar", awaits_first=True, headers={_STAT: path_stat(found)})


async def write(call: Call) -> Answer:
    await call.backend.container_files.write(
        call.target,
        _path(call),
        aiter(call.request.body),
        keep_kinds=call.boolean("noOverwriteDirNonDir"),
        own=call.boolean("copyUIDGID"),
    )
    return EMPTY


def _path(call: Call) -> str:
    path = call.text("path")
    if not path:
        raise InvalidArgumentError("bad parameter: path cannot be empty")
    return path


ROUTES = (
    ("HEAD", "/containers/{id}/archive", look),
    ("GET", "/containers/{id}/archive", read),
    ("PUT", "/containers/{id}/archive", write),
    ("GET", "/containers/{id}/changes", changes),
    ("GET", "/containers/{id}/export", export),
    ("POST", "/commit", commit),
)
