"""Container requests, one function each. ``ref`` is a name, an id or a unique prefix of one."""

import json
from collections.abc import Iterable
from typing import Any, NamedTuple

from boxship.base.errors import NotFoundError
from boxship.client.engine import EngineClient, HijackedStream, JsonObject, Response
from boxship.client.filters import encode_filters


class Created(NamedTuple):
    id: str
    warnings: tuple[str, ...]


class AttachOptions(NamedTuple):
    stdin: bool = False
    stdout: bool = True
    stderr: bool = True
    logs: bool = False
    detach_keys: str = ""


class LogOptions(NamedTuple):
    stdout: bool = True
    stderr: bool = True
    follow: bool = False
    timestamps: bool = False
    details: bool = False
    since: str = ""  # RFC 3339 or Unix seconds; so is ``until``
    until: str = ""
    tail: str = "all"


class ExitStatus(NamedTuple):
    code: int
    error: str = ""


def create(
    client: EngineClient, body: JsonObject, *, name: str = "", platform: str = ""
) -> Created:
    query = {"name": name or None, "platform": platform or None}
    answer = client.json("POST", "/containers/create", query, body=body)
    return Created(answer["Id"], tuple(answer.get("Warnings") or ()))


def listing(
    client: EngineClient,
    *,
    all: bool = False,  # noqa: A002 - the parameter's name in the API
    limit: int = 0,
    size: bool = False,
    filters: Iterable[tuple[str, str]] = (),
) -> list[JsonObject]:
    query = {
        "all": "1" if all else None,
        "limit": limit if limit > 0 else None,
        "size": "1" if size else None,
        "filters": encode_filters(filters),
    }
    found: list[JsonObject] = client.json("GET", "/containers/json", query)
    return found


def inspect(client: EngineClient, ref: str, *, size: bool = False) -> JsonObject:
    found: JsonObject = client.json(
        "GET", f"/containers/{ref}/json", {"size": "1" if size else None}
    )
    return found


def start(
    client: EngineClient,
    ref: str,
    *,
    detach_keys: str = "",
    trace: bool = False,
    checkpoint: str = "",
    checkpoint_dir: str = "",
) -> JsonObject:
    """Start it. With ``trace`` the answer may carry step timings, if the daemon keeps them."""
    query = {
        "checkpoint": checkpoint or None,
        "checkpoint-dir": checkpoint_dir or None,
        "detachKeys": detach_keys or None,
        "trace": "1" if trace else None,
    }
    with client.call("POST", f"/containers/{ref}/start", query) as response:
        payload = response.read()
        if not trace or not payload.strip():
            return {}
        timings: JsonObject = json.loads(payload)
        return timings


def stop(client: EngineClient, ref: str, *, signal: str = "", timeout: int | None = None) -> None:
    client.do("POST", f"/containers/{ref}/stop", {"signal": signal or None, "t": timeout})


def restart(
    client: EngineClient, ref: str, *, signal: str = "", timeout: int | None = None
) -> None:
    client.do("POST", f"/containers/{ref}/restart", {"signal": signal or None, "t": timeout})


def kill(client: EngineClient, ref: str, *, signal: str = "") -> None:
    client.do("POST", f"/containers/{ref}/kill", {"signal": signal or None})


def pause(client: EngineClient, ref: str) -> None:
    client.do("POST", f"/containers/{ref}/pause")


def unpause(client: EngineClient, ref: str) -> None:
    client.do("POST", f"/containers/{ref}/unpause")


def rename(client: EngineClient, ref: str, new_name: str) -> None:
    client.do("POST", f"/containers/{ref}/rename", {"name": new_name})


def update(client: EngineClient, ref: str, body: JsonObject) -> tuple[str, ...]:
    """Change limits and restart policy; return warnings."""
    answer = client.json("POST", f"/containers/{ref}/update", body=body)
    return tuple(answer.get("Warnings") or ())


def remove(
    client: EngineClient,
    ref: str,
    *,
    force: bool = False,
    volumes: bool = False,
    link: bool = False,
) -> None:
    query = {
        "v": "1" if volumes else None,
        "link": "1" if link else None,
        "force": "1" if force else None,
    }
    client.do("DELETE", f"/containers/{ref}", query)


def resize(client: EngineClient, ref: str, *, height: int, width: int) -> None:
    client.do("POST", f"/containers/{ref}/resize", {"h": height, "w": width})


def top(client: EngineClient, ref: str, arguments: Iterable[str]) -> JsonObject:
    query = {"ps_args": " ".join(arguments) or None}
    processes: JsonObject = client.json("GET", f"/containers/{ref}/top", query)
    return processes


def explain(client: EngineClient, ref: str) -> JsonObject:
    """What it is made of. Boxship's daemon knows this request, Docker's does not."""
    found: JsonObject = client.json("GET", f"/containers/{ref}/explain")
    return found


def clear_log(client: EngineClient, ref: str) -> int:
    """Forget what a container has written until now; return the bytes that came free."""
    answer: dict[str, int] = client.json("DELETE", f"/containers/{ref}/logs")
    return answer["SpaceReclaimed"]


def log_state(client: EngineClient, ref: str) -> JsonObject | None:
    """Return what is kept of a container's output, and what was lost.

    None: it is Docker's daemon, which can't say, or the container has gone.
    """
    try:
        found: JsonObject = client.json("GET", f"/containers/{ref}/logs/state")
    except NotFoundError:
        return None
    return found


def logs(client: EngineClient, ref: str, options: LogOptions) -> Response:
    """The log as a stream: multiplexed without a terminal, raw with one."""
    query: dict[str, str | int | bool | list[str] | None] = {
        "stdout": "1" if options.stdout else None,
        "stderr": "1" if options.stderr else None,
        "since": options.since or None,
        "until": options.until or None,
        "timestamps": "1" if options.timestamps else None,
        "details": "1" if options.details else None,
        "follow": "1" if options.follow else None,
        "tail": options.tail,
    }
    return client.call("GET", f"/containers/{ref}/logs", query)


def attach(client: EngineClient, ref: str, options: AttachOptions) -> HijackedStream:
    query = {
        "stream": "1",
        "stdin": "1" if options.stdin else None,
        "stdout": "1" if options.stdout else None,
        "stderr": "1" if options.stderr else None,
        "logs": "1" if options.logs else None,
        "detachKeys": options.detach_keys or None,
    }
    return client.hijack("POST", f"/containers/{ref}/attach", query)


class Wait:
    """A wait in progress: the daemon has begun to watch, ``result`` blocks until it is over."""

    def __init__(self, response: Response) -> None:
        self._response = response

    def result(self) -> ExitStatus:
        with self._response as response:
            answer = response.json()
        error = answer.get("Error") or {}
        return ExitStatus(answer.get("StatusCode", 0), error.get("Message", ""))

    def close(self) -> None:
        self._response.close()


def wait(client: EngineClient, ref: str, condition: str = "") -> Wait:
    """Begin to wait. Daemons from 1.30 on answer with a head at once, so a wait that is begun
    before the start cannot miss the exit."""
    query = {"condition": condition or None}
    return Wait(client.call("POST", f"/containers/{ref}/wait", query))


def exec_create(client: EngineClient, ref: str, body: JsonObject) -> str:
    answer: Any = client.json("POST", f"/containers/{ref}/exec", body=body)
    return str(answer["Id"])


def exec_start_detached(client: EngineClient, exec_id: str, body: JsonObject) -> None:
    client.do("POST", f"/exec/{exec_id}/start", body=body)


def exec_start(client: EngineClient, exec_id: str, body: JsonObject) -> HijackedStream:
    return client.hijack("POST", f"/exec/{exec_id}/start", body=body)


def exec_inspect(client: EngineClient, exec_id: str) -> JsonObject:
    found: JsonObject = client.json("GET", f"/exec/{exec_id}/json")
    return found


def exec_resize(client: EngineClient, exec_id: str, *, height: int, width: int) -> None:
    client.do("POST", f"/exec/{exec_id}/resize", {"h": height, "w": width})


def checkpoint(
    client: EngineClient, ref: str, name: str, *, directory: str = "", leave_running: bool = False
) -> None:
    body: JsonObject = {"CheckpointID": name, "CheckpointDir": directory, "Exit": not leave_running}
    client.do("POST", f"/containers/{ref}/checkpoints", body=body)


def checkpoints(client: EngineClient, ref: str, *, directory: str = "") -> list[JsonObject]:
    query = {"dir": directory or None}
    found: list[JsonObject] | None = client.json("GET", f"/containers/{ref}/checkpoints", query)
    return found or []


def remove_checkpoint(client: EngineClient, ref: str, name: str, *, directory: str = "") -> None:
    client.do("DELETE", f"/containers/{ref}/checkpoints/{name}", {"dir": directory or None})


def statistics(client: EngineClient, ref: str) -> JsonObject:
    """What it uses at this moment; zeros while it does not run."""
    query = {"stream": "0", "one-shot": "1"}
    found: JsonObject = client.json("GET", f"/containers/{ref}/stats", query)
    return found


def changes(client: EngineClient, ref: str) -> list[JsonObject]:
    found: list[JsonObject] | None = client.json("GET", f"/containers/{ref}/changes")
    return found or []


def export(client: EngineClient, ref: str) -> Response:
    """All its files as a tar."""
    return client.call("GET", f"/containers/{ref}/export")


class CommitOptions(NamedTuple):
    repository: str = ""
    tag: str = ""
    comment: str = ""
    author: str = ""
    changes: tuple[str, ...] = ()
    pause: bool = True


def commit(client: EngineClient, ref: str, options: CommitOptions) -> str:
    """Make an image of it; return the image's id."""
    query: dict[str, str | int | bool | list[str] | None] = {
        "container": ref,
        "repo": options.repository or None,
        "tag": options.tag or None,
        "comment": options.comment or None,
        "author": options.author or None,
        "changes": list(options.changes) or None,
        "pause": "1" if options.pause else "0",
    }
    return str(client.json("POST", "/commit", query)["Id"])
