"""Containers: create, look, change, remove; checkpoints."""

from boxship.api.openapi.operation import (
    UNCHANGED,
    Body,
    Operation,
    done,
    filters,
    flag,
    number,
    ok,
    text,
)
from boxship.model.explanation import Explanation
from boxship.wire import containers as shapes
from boxship.wire import prune

_KEYS = text("detachKeys", "Keys that detach a client: a letter, or `ctrl-` and one; several by ,")
_SIGNAL = text("signal", "The signal's name or number")
_PATIENCE = number("t", "Seconds until it is killed; negative: never")
_SIZES = flag("size", "Add up the bytes that were written")
HEIGHT = number("h", "Rows of the terminal", required=True, minimum=0, maximum=65535)
WIDTH = number("w", "Columns of the terminal", required=True, minimum=0, maximum=65535)
_DIRECTORY = text("dir", "Where the checkpoints are, if not with the container")

OPERATIONS = (
    Operation(
        "POST", "/containers/create", "ContainerCreate", "Create a container",
        (
            text("name", "Its name; without one it is given one"),
            text("platform", "Which of the image's platforms: `os/arch/variant`"),
        ),
        Body(shapes.CreateBody, about="What it is to be; an empty member means the default"),
        (ok(shapes.CreateAnswer, "It was created", 201),),
        (404, 409, 503),
    ),
    Operation(
        "GET", "/containers/json", "ContainerList", "List containers, the newest first",
        (
            flag("all", "Those that don't run as well"),
            number("limit", "How many at most, then of all; 0: any number"),
            _SIZES,
            filters(
                *("ancestor", "annotation", "before", "exited", "expose", "health", "id"),
                "is-task",
                *("isolation", "label", "name", "network", "publish", "since", "status", "volume"),
            ),
        ),
        replies=(ok(tuple[shapes.ContainerRow, ...], "The containers"),),
        errors=(404,),
    ),
    Operation(
        "GET", "/containers/{id}/json", "ContainerInspect", "Look at a container",
        (_SIZES,),
        replies=(ok(shapes.ContainerInspect, "What it is and how it does"),),
        errors=(404,),
    ),
    Operation(
        "GET", "/containers/{id}/top", "ContainerTop", "List a container's processes",
        (text("ps_args", "Arguments of `ps`", default="-ef"),),
        replies=(ok(shapes.TopAnswer, "A table, a row for each process"),),
        errors=(404, 409, 500),
    ),
    Operation(
        "GET", "/containers/{id}/explain", "ContainerExplain", "Say what a container is made of",
        replies=(ok(Explanation, "The kernel's facts, and commands that make the same"),),
        errors=(404,), beyond=True,
    ),
    Operation(
        "POST", "/containers/{id}/start", "ContainerStart", "Start a container",
        (
            _KEYS,
            text("checkpoint", "Go on from this checkpoint"),
            text("checkpoint-dir", "Where that is, if not with the container"),
            flag("trace", "Beyond Docker: answer how long each step took"),
        ),
        replies=(
            done("It runs"),
            ok(shapes.StartTrace, "It runs, and `trace` was asked for"),
            UNCHANGED,
        ),
        errors=(404, 409, 500, 503),
    ),
    Operation(
        "POST", "/containers/{id}/stop", "ContainerStop", "Stop a container",
        (_SIGNAL, _PATIENCE),
        replies=(done("It has ended"), UNCHANGED),
        errors=(404, 409, 500),
    ),
    Operation(
        "POST", "/containers/{id}/restart", "ContainerRestart", "Stop and start a container",
        (_SIGNAL, _PATIENCE),
        replies=(done("It runs again"),),
        errors=(404, 409, 500, 503),
    ),
    Operation(
        "POST", "/containers/{id}/kill", "ContainerKill", "Send a container a signal",
        (text("signal", "The signal's name or number", default="SIGKILL"),),
        replies=(done("It was sent"),),
        errors=(404, 409, 500),
    ),
    Operation(
        "POST", "/containers/{id}/pause", "ContainerPause", "Freeze a container's processes",
        replies=(done("They stand still"),),
        errors=(404, 409, 500),
    ),
    Operation(
        "POST", "/containers/{id}/unpause", "ContainerUnpause", "Let a frozen container go on",
        replies=(done("They go on"),),
        errors=(404, 409, 500),
    ),
    Operation(
        "POST", "/containers/{id}/rename", "ContainerRename", "Give a container another name",
        (text("name", "The new name", required=True),),
        replies=(done("It has the name"),),
        errors=(404, 409),
    ),
    Operation(
        "POST", "/containers/{id}/update", "ContainerUpdate", "Change what a container may use",
        body=Body(
            shapes.UpdateBody, required=False, about="What is to change; 0 and absent members stay"
        ),
        replies=(ok(shapes.UpdateAnswer, "It is in effect"),),
        errors=(404, 409, 500),
    ),
    Operation(
        "POST", "/containers/{id}/resize", "ContainerResize", "Set the size of its terminal",
        (HEIGHT, WIDTH),
        replies=(done("It is in effect", 200),),
        errors=(404, 409, 500),
    ),
    Operation(
        "DELETE", "/containers/{id}", "ContainerDelete", "Remove a container",
        (
            flag("force", "Kill it first if it runs"),
            flag("v", "Its volumes without a name as well"),
            flag("link", "Remove a link to it, and not the container"),
        ),
        replies=(done("It is gone"),),
        errors=(404, 409, 500),
    ),
    Operation(
        "POST", "/containers/prune", "ContainerPrune", "Remove containers that don't run",
        (filters("until", "label", "label!"),),
        replies=(ok(prune.ContainersPruned, "What is gone, and its bytes"),),
        errors=(409,),
    ),
    Operation(
        "POST", "/containers/{id}/checkpoints", "CheckpointCreate", "Save a running container",
        body=Body(shapes.CheckpointBody),
        replies=(done("It is saved", 201),),
        errors=(404, 409, 500, 501),
    ),
    Operation(
        "GET", "/containers/{id}/checkpoints", "CheckpointList", "List what was saved",
        (_DIRECTORY,),
        replies=(ok(tuple[shapes.CheckpointRow, ...], "The checkpoints"),),
        errors=(404, 501),
    ),
    Operation(
        "DELETE", "/containers/{id...}", "CheckpointDelete", "Remove what was saved",
        (_DIRECTORY,),
        replies=(done("It is gone"),),
        errors=(404, 501),
        path="/containers/{id}/checkpoints/{checkpoint}",
    ),
)  # fmt: skip
