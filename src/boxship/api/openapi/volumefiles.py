"""What volumes can beyond Docker: new names, copies, archives, and files in and out."""

from boxship.api.openapi.operation import (
    TAR,
    Body,
    Operation,
    Reply,
    done,
    file,
    flag,
    header,
    lines,
    ok,
    text,
    words,
)
from boxship.wire import volumes as shapes
from boxship.wire.jsonstream import Progress

_PATH = text("path", "A path in the volume", required=True)
_STAT = header("X-Docker-Container-Path-Stat", "What is there: base64 of JSON (`PathStatHeader`)")
_PROGRESS = lines(Progress, "How it goes, a line at a time; one with `error` is the last")

OPERATIONS = (
    Operation(
        "POST", "/volumes/import", "VolumeImport", "Make a volume of an archive",
        (text("name", "Its name; without one it is anonymous"), words("label", "`key=value`")),
        Body(media=TAR, about="An archive, compressed or not"),
        (ok(shapes.VolumeRow, "It is there", 201),),
        (409, 503), beyond=True,
    ),
    Operation(
        "POST", "/volumes/{name}/rename", "VolumeRename", "Give a volume another name",
        (text("name", "Its new name", required=True),),
        replies=(done("It has it, also in the containers that use it"),),
        errors=(404, 409), beyond=True,
    ),
    Operation(
        "POST", "/volumes/{name}/clone", "VolumeClone", "Make a volume with the same files",
        body=Body(shapes.CopyBody), replies=(_PROGRESS,), errors=(404, 409, 503), beyond=True,
    ),
    Operation(
        "POST", "/volumes/{name}/snapshot", "VolumeSnapshot", "Make a copy to be read only",
        body=Body(shapes.CopyBody), replies=(_PROGRESS,), errors=(404, 409, 503), beyond=True,
    ),
    Operation(
        "GET", "/volumes/{name}/export", "VolumeExport", "Get all of a volume's files",
        replies=(file(TAR, "An archive of it"),), errors=(404, 500), beyond=True,
    ),
    Operation(
        "HEAD", "/volumes/{name}/archive", "VolumeArchiveInfo", "Look at a path",
        (_PATH,), replies=(Reply(200, "It is there", headers=(_STAT,)),),
        errors=(404, 500), beyond=True,
    ),
    Operation(
        "GET", "/volumes/{name}/archive", "VolumeArchive", "Copy out of a volume",
        (_PATH,), replies=(file(TAR, "An archive of it", _STAT),),
        errors=(404, 500), beyond=True,
    ),
    Operation(
        "PUT", "/volumes/{name}/archive", "PutVolumeArchive", "Copy into a volume",
        (_PATH, flag("noOverwriteDirNonDir", "No directory in a file's place, nor the reverse")),
        Body(media=TAR, about="An archive, compressed or not"),
        (done("It is there", 200),),
        (403, 404, 500), beyond=True,
    ),
)  # fmt: skip
