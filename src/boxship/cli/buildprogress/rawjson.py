"""``--progress rawjson``: each update as a line of JSON, in the form of BuildKit's client."""

import base64
import json
from datetime import UTC, datetime
from typing import Any, TextIO

from boxship.cli.buildprogress.trace import SECOND, Trace
from boxship.client.buildkit.progress import Log, Source, Status, Update, Vertex, Warned

Document = dict[str, Any]


def encode(update: Update) -> str:
    """Return one line, without its end; empty for an update that says nothing."""
    document = {
        "vertexes": [_vertex(each) for each in update.vertices],
        "statuses": [_status(each) for each in update.statuses],
        "logs": [_log(each) for each in update.logs],
        "warnings": [_warning(each) for each in update.warnings],
    }
    kept = {name: rows for name, rows in document.items() if rows}
    return json.dumps(kept, separators=(",", ":")) if kept else ""


def _vertex(vertex: Vertex) -> Document:
    return _given(
        digest=vertex.digest,
        inputs=list(vertex.inputs),
        name=vertex.name,
        started=_time(vertex.started),
        completed=_time(vertex.completed),
        cached=vertex.cached,
        error=vertex.error,
    )


def _status(status: Status) -> Document:
    given = _given(vertex=status.vertex, name=status.name, total=status.total)
    moments = _given(
        timestamp=_time(status.moment),
        started=_time(status.started),
        completed=_time(status.completed),
    )
    return {"id": status.id} | given | {"current": status.current} | moments


def _log(log: Log) -> Document:
    given = _given(vertex=log.vertex, stream=log.stream)
    return given | {"data": _bytes(log.data), "timestamp": _time(log.moment)}


def _warning(warned: Warned) -> Document:
    return _given(
        vertex=warned.vertex,
        level=warned.level,
        short=_bytes(warned.short.encode()),
        detail=[_bytes(line.encode()) for line in warned.detail],
        url=warned.url,
        sourceInfo=None if warned.source is None else _source(warned.source),
        range=[
            {
                "start": {"line": span.start.line, "character": span.start.column},
                "end": {"line": span.end.line, "character": span.end.column},
            }
            for span in (warned.source.spans if warned.source else ())
        ],
    )


def _source(source: Source) -> Document:
    return {"filename": source.filename, "data": _bytes(source.data)}


def _given(**fields: object) -> Document:
    return {name: value for name, value in fields.items() if value}


def _bytes(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _time(moment: int | None) -> str | None:
    """RFC 3339 with nanoseconds and without zeros at its end."""
    if moment is None:
        return None
    whole, rest = divmod(moment, SECOND)
    text = datetime.fromtimestamp(whole, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    fraction = f".{rest:09d}".rstrip("0") if rest else ""
    return f"{text}{fraction}Z"


class RawJsonDisplay:
    """Fed with updates, writes lines."""

    def __init__(self, output: TextIO) -> None:
        self.trace = Trace()
        self._output = output

    def show(self, update: Update, now: int) -> None:
        self.trace.add(update)
        line = encode(update)
        if line:
            self._output.write(line + "\n")
            self._output.flush()

    def tick(self, now: int) -> None:
        """Nothing changes by itself."""

    def finish(self, now: int) -> None:
        """Everything was told."""
