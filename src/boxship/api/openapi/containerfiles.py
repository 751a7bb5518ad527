"""Containers' files: what was changed, copies both ways, all of them, and images made of them."""

from boxship.api.openapi.operation import (
    OCTETS,
    TAR,
    Body,
    Operation,
    Reply,
    done,
    file,
    flag,
    header,
    ok,
    text,
    words,
)
from boxship.model.container import ContainerConfig
from boxship.wire import containers as shapes

_PATH = text("path", "A path in the container", required=True)
_STAT = header("X-Docker-Container-Path-Stat", "What is there: base64 of JSON (`PathStatHeader`)")

OPERATIONS = (
    Operation(
        "HEAD", "/containers/{id}/archive", "ContainerArchiveInfo", "Look at a path",
        (_PATH,),
        replies=(Reply(200, "It is there", headers=(_STAT,)),),
        errors=(404, 409),
    ),
    Operation(
        "GET", "/containers/{id}/archive", "ContainerArchive", "Copy out of a container",
        (_PATH,),
        replies=(file(TAR, "An archive of it", _STAT),),
        errors=(404, 409),
    ),
    Operation(
        "PUT", "/containers/{id}/archive", "PutContainerArchive", "Copy into a container",
        (
            _PATH,
            flag("noOverwriteDirNonDir", "No directory in a file's place, nor the reverse"),
            flag("copyUIDGID", "Own what is copied as the archive says"),
        ),
        Body(media=TAR, about="An archive, compressed or not"),
        (done("It is there", 200),),
        (403, 404, 409),
    ),
    Operation(
        "GET", "/containers/{id}/changes", "ContainerChanges", "List what a container changed",
        replies=(ok(tuple[shapes.ChangeRow, ...] | None, "Paths; null: none"),),
        errors=(404, 409),
    ),
    Operation(
        "GET", "/containers/{id}/export", "ContainerExport", "Get all of a container's files",
        replies=(file(OCTETS, "An archive of its root"),),
        errors=(404, 409),
    ),
    Operation(
        "POST", "/commit", "ImageCommit", "Make an image of a container",
        (
            text("container", "Its name or id", required=True),
            text("repo", "The image's name"),
            text("tag", "The image's tag"),
            text("comment", "What was done"),
            text("author", "Who did it"),
            flag("pause", "Freeze the container meanwhile", default=True),
            words("changes", "Instructions as in a Dockerfile"),
        ),
        Body(ContainerConfig, required=False, about="What containers of it start with"),
        (ok(shapes.CommitAnswer, "The image is there", 201),),
        (404, 409),
    ),
)  # fmt: skip
