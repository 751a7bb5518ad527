"""What lasts: wait, logs, attach, statistics; further processes in a container."""

from boxship.api.openapi.containers import HEIGHT, WIDTH
from boxship.api.openapi.operation import (
    MULTIPLEXED,
    RAW,
    Body,
    Operation,
    Reply,
    done,
    flag,
    lines,
    moment,
    ok,
    text,
)
from boxship.model.statistics import Statistics
from boxship.wire import containers as shapes
from boxship.wire.logs import LogCleared, LogStateAnswer

_HIJACKED = (
    Reply(101, "The connection is a raw stream from here on", media=(RAW, MULTIPLEXED)),
    Reply(200, "The same, for a client that asked for no upgrade", media=(RAW, MULTIPLEXED)),
)
_ATTACH = (
    text("detachKeys", "Keys that detach the client: a letter, or `ctrl-` and one; several by ,"),
    flag("logs", "What was written before"),
    flag("stream", "What is written from now on"),
    flag("stdin", "Take what the client sends"),
    flag("stdout", "Standard output"),
    flag("stderr", "Standard error"),
)

OPERATIONS = (
    Operation(
        "POST", "/containers/{id}/wait", "ContainerWait", "Wait for a container's end",
        (
            text(
                "condition", "What to wait for", default="not-running",
                enum=["not-running", "next-exit", "removed"],
            ),
        ),
        replies=(ok(shapes.WaitAnswer, "The header at once; the body when it is over"),),
        errors=(404,),
    ),
    Operation(
        "GET", "/containers/{id}/logs", "ContainerLogs", "Read what a container has written",
        (
            flag("follow", "Stay, and tell what comes"),
            flag("stdout", "Standard output"),
            flag("stderr", "Standard error"),
            moment("since", "Nothing before this"),
            moment("until", "Nothing after this"),
            flag("timestamps", "Begin each line with its time"),
            flag("details", "Begin each line with what the log's options say"),
            text("tail", "How many of the last lines; no number: all", default="all"),
        ),
        replies=(Reply(200, "In frames, or raw from a terminal", media=(RAW, MULTIPLEXED)),),
        errors=(404, 409, 500, 501),
    ),
    Operation(
        "DELETE", "/containers/{id}/logs", "ContainerLogsClear",
        "Forget what a container has written until now",
        replies=(ok(LogCleared, "It runs on, and begins a new log"),),
        errors=(404, 409), beyond=True,
    ),
    Operation(
        "GET", "/containers/{id}/logs/state", "ContainerLogsState",
        "See what is kept of a container's output, and what was lost",
        replies=(ok(LogStateAnswer, "Files, and lines that did not get into them"),),
        errors=(404,), beyond=True,
    ),
    Operation(
        "POST", "/containers/{id}/attach", "ContainerAttach", "Attach to a container's streams",
        _ATTACH, replies=_HIJACKED, errors=(404, 409, 500),
    ),
    Operation(
        "GET", "/containers/{id}/attach/ws", "ContainerAttachWebsocket",
        "Attach by messages of a websocket",
        _ATTACH,
        replies=(Reply(101, "The connection is a websocket from here on"),),
        errors=(404, 409, 500),
    ),
    Operation(
        "GET", "/containers/{id}/stats", "ContainerStats", "Measure what a container uses",
        (
            flag("stream", "Go on, once a second", default=True),
            flag("one-shot", "Don't wait for a second sample to compare with"),
        ),
        replies=(lines(Statistics, "A sample; in a stream, one a line"),),
        errors=(404, 409),
    ),
    Operation(
        "POST", "/containers/{id}/exec", "ExecCreate", "Prepare one more process in a container",
        body=Body(shapes.ExecBody, required=False),
        replies=(ok(shapes.ExecAnswer, "It can be started", 201),),
        errors=(404, 409),
    ),
    Operation(
        "POST", "/exec/{id}/start", "ExecStart", "Start such a process",
        body=Body(shapes.ExecStartBody, required=False),
        replies=_HIJACKED,
        errors=(404, 409, 500),
    ),
    Operation(
        "POST", "/exec/{id}/resize", "ExecResize", "Set the size of its terminal",
        (HEIGHT, WIDTH),
        replies=(done("It is in effect", 200),),
        errors=(404, 409, 500),
    ),
    Operation(
        "GET", "/exec/{id}/json", "ExecInspect", "Look at such a process",
        replies=(ok(shapes.ExecInspect, "What it is and how it does"),),
        errors=(404,),
    ),
)  # fmt: skip
