"""What lasts: wait, logs, attach."""

from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import replace

import msgspec

from boxship.api.call import Call
from boxship.api.hijack import ClientStream, hand_over, stream_type
from boxship.api.http.messages import Answer, Stream
from boxship.api.streams import Guarded
from boxship.api.websocket import WebSocketStream
from boxship.base.errors import InvalidArgumentError
from boxship.engine.containers.requests import (
    AttachRequest,
    LogLine,
    LogQuery,
    WaitCondition,
    Waiting,
)
from boxship.model.statistics import Statistics
from boxship.wire.adapt import adapted
from boxship.wire.containers import WaitAnswer, WaitError
from boxship.wire.logs import LogCleared, LogFileRow, LogStateAnswer, LostLines
from boxship.wire.stdcopy import LineEncoder
from boxship.wire.versions import ApiVersion


async def wait(call: Call) -> Answer:
    """Answer twice: the header once the wait is registered, the body when it is over."""
    condition = _condition(call)
    waiting = await call.backend.containers.wait(call.target, condition)
    silent = condition is WaitCondition.REMOVED and call.version < 34
    outcome = _outcome(waiting, tells_errors=not silent)
    return Stream(Guarded(outcome, waiting.cancel), endless=True)


def _condition(call: Call) -> WaitCondition:
    text = call.text("condition") if call.version >= 30 else ""
    try:
        return WaitCondition(text or WaitCondition.NOT_RUNNING)
    except ValueError as error:
        raise InvalidArgumentError(f'invalid condition: "{text}"') from error


async def _outcome(waiting: Waiting, *, tells_errors: bool) -> AsyncGenerator[bytes, None]:
    """Tell how it ended. Clients from before 1.34 take an answer without a body for the error."""
    outcome = await waiting
    if outcome.error and not tells_errors:
        return
    error = WaitError(outcome.error) if outcome.error else None
    yield msgspec.json.encode(WaitAnswer(outcome.exit_code, error)) + b"\n"


async def logs(call: Call) -> Answer:
    stdout, stderr = call.boolean("stdout"), call.boolean("stderr")
    if not (stdout or stderr):
        raise InvalidArgumentError("Bad parameters: you must choose at least one stream")
    record = call.backend.containers.get(call.target)
    query = LogQuery(
        stdout=stdout,
        stderr=stderr,
        since_ns=call.timestamp("since"),
        until_ns=call.timestamp("until"),
        tail=_tail(call.text("tail")),
        follow=call.boolean("follow"),
    )
    tty = record.config.tty
    encoder = LineEncoder(
        framed=not tty, timestamps=call.boolean("timestamps"), details=call.boolean("details")
    )
    lines = call.backend.containers.logs(record.id, query)
    return Stream(
        _encoded(lines, encoder),
        stream_type(call.version, tty=tty),
        awaits_first=not query.follow,
        endless=query.follow,
    )


async def log_state(call: Call) -> Answer:
    """What is kept of a container's output, and what was lost; Docker does not tell."""
    found = await call.backend.containers.log_state(call.target)
    files = tuple(LogFileRow(file.path, file.size) for file in found.files)
    lost = found.losses
    return call.json(
        LogStateAnswer(
            driver=found.driver,
            size=sum(file.size for file in files),
            files=files,
            lost=LostLines(lost.lines, lost.disk, lost.buffer, lost.target, lost.reason),
            waits=found.waits,
            trouble=found.trouble,
        )
    )


async def clear_log(call: Call) -> Answer:
    """Begin a log anew, without Docker's having to restart the container."""
    freed = await call.backend.containers.clear_log(call.target)
    return call.json(LogCleared(freed))


def _tail(text: str) -> int | None:
    """Read ``tail``: a number of lines; anything else, and less than none, is all of them."""
    return int(text) if text.isdecimal() else None


async def _encoded(
    batches: AsyncIterator[list[LogLine]], encoder: LineEncoder
) -> AsyncGenerator[bytes, None]:
    try:
        async for batch in batches:
            yield encoder.encode(batch)
    finally:
        close = getattr(batches, "aclose", None)
        if close is not None:
            await close()


async def attach(call: Call) -> Answer:
    record = call.backend.containers.get(call.target)
    request = _attach_request(call)
    stream = ClientStream(call, tty=record.config.tty)
    containers = call.backend.containers
    return await hand_over(stream, lambda s: containers.attach(record.id, request, s))


async def attach_websocket(call: Call) -> Answer:
    """Attach with messages; streams are not told apart, with a terminal or without."""
    record = call.backend.containers.get(call.target)
    request = replace(_attach_request(call), framed=False)
    if call.version < 42:  # which streams were asked for did not count
        request = replace(request, stdin=True, stdout=True, stderr=True)
    containers = call.backend.containers
    stream = WebSocketStream(call)
    return await hand_over(stream, lambda s: containers.attach(record.id, request, s))


def _attach_request(call: Call) -> AttachRequest:
    return AttachRequest(
        stdin=call.boolean("stdin"),
        stdout=call.boolean("stdout"),
        stderr=call.boolean("stderr"),
        logs=call.boolean("logs"),
        stream=call.boolean("stream"),
        detach_keys=call.text("detachKeys") or None,
    )


async def stats(call: Call) -> Answer:
    containers = call.backend.containers
    stream = call.boolean("stream", default=True)
    at_once = call.version >= 41 and call.boolean("one-shot")
    if stream and at_once:
        raise InvalidArgumentError("cannot have stream=true and one-shot=true")
    if not stream:
        return call.json(await containers.statistics(call.target, at_once=at_once))
    samples = containers.follow_statistics(call.target)
    return Stream(_lines(samples, call.version), endless=True)


async def _lines(
    samples: AsyncGenerator[Statistics, None], version: ApiVersion
) -> AsyncGenerator[bytes, None]:
    try:
        async for sample in samples:
            yield adapted(sample, version) + b"\n"
    finally:
        await samples.aclose()


ROUTES = (
    ("GET", "/containers/{id}/stats", stats),
    ("POST", "/containers/{id}/wait", wait),
    ("GET", "/containers/{id}/logs", logs),
    ("DELETE", "/containers/{id}/logs", clear_log),
    ("GET", "/containers/{id}/logs/state", log_state),
    ("POST", "/containers/{id}/attach", attach),
    ("GET", "/containers/{id}/attach/ws", attach_websocket),
)
