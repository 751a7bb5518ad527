"""The control protocol's bytes: ``messages.py`` ↔ length, JSON and descriptors, without I/O.

The wire format is drawn in ``messages.py``. Values are checked against the annotations there:
what comes out of the decoder has the types it claims.
"""

import json
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final

from boxship.runtime.messages import (
    Attach,
    Attached,
    Attachment,
    Detached,
    Done,
    Exec,
    ExecExited,
    ExecState,
    Exit,
    Exited,
    Failed,
    Json,
    LogConfig,
    LogPosition,
    Message,
    Release,
    Released,
    Resize,
    Resume,
    Signal,
    Start,
    Started,
    State,
    StateQuery,
    Stdio,
    StepTiming,
)

MAX_MESSAGE: Final = 8 << 20
"""Longest body, in bytes. A plan with a compiled seccomp filter is some 20 KiB."""

MAX_FDS: Final = 64
"""Most descriptors with one message (the kernel allows 253)."""

_HEADER: Final = 4


class ProtocolError(Exception):
    """The peer broke the protocol; the connection is of no further use."""


_TYPES: Final[dict[str, type[Message]]] = {
    "start": Start,
    "exec": Exec,
    "attach": Attach,
    "resume": Resume,
    "resize": Resize,
    "signal": Signal,
    "state-query": StateQuery,
    "release": Release,
    "started": Started,
    "failed": Failed,
    "attached": Attached,
    "done": Done,
    "state": State,
    "released": Released,
    "exec-exited": ExecExited,
    "detached": Detached,
    "exited": Exited,
}
_NAMES: Final = {cls: name for name, cls in _TYPES.items()}


# ── values ↔ JSON ────────────────────────────────────────────────────────────────────────────


def _exact(kind: type) -> Callable[[Any], Any]:
    def convert(value: Any) -> Any:
        if type(value) is not kind:  # not isinstance: True is no number here
            raise TypeError(f"{value!r:.80} is not {kind.__name__}")
        return value

    return convert


def _bytes(value: Any) -> bytes:
    return bytes(_exact(str)(value), "latin-1")


def _part(cls: Any) -> Callable[[Any], Any]:
    return lambda value: _build(cls, _exact(dict)(value))


def _sequence(convert: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: tuple(convert(item) for item in _exact(list)(value))


def _optional(convert: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: None if value is None else convert(value)


# The annotations in messages.py are text (PEP 563), which makes them the keys of this table.
_FROM_JSON: Final[dict[str, Callable[[Any], Any]]] = {
    "bool": _exact(bool),
    "int": _exact(int),
    "str": _exact(str),
    "bytes": _bytes,
    "Json": _exact(dict),
    "tuple[int, ...]": _sequence(_exact(int)),
    "tuple[str, ...]": _sequence(_exact(str)),
    "Stdio": _part(Stdio),
    "LogConfig": _part(LogConfig),
    "LogPosition": _part(LogPosition),
    "Attachment": _part(Attachment),
    "tuple[Attachment, ...]": _sequence(_part(Attachment)),
    "tuple[StepTiming, ...]": _sequence(_part(StepTiming)),
    "tuple[ExecState, ...]": _sequence(_part(ExecState)),
    "Exit": _part(Exit),
    "Exit | None": _optional(_part(Exit)),
}
_PARTS: Final = (Stdio, LogConfig, LogPosition, Attachment, StepTiming, ExecState, Exit)
_FIELDS: Final[dict[type, dict[str, Callable[[Any], Any]]]] = {
    cls: {f.name: _FROM_JSON[str(f.type)] for f in fields(cls)}
    for cls in (*_PARTS, *_TYPES.values())
}


def _build(cls: Any, body: Json) -> Any:
    table = _FIELDS[cls]
    return cls(**{name: table[name](value) for name, value in body.items()})


def _to_json(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if isinstance(value, tuple):
        return [_to_json(item) for item in value]
    table = _FIELDS.get(type(value))
    if table is None:
        return value
    return {name: _to_json(getattr(value, name)) for name in table}


def exit_to_json(exit_: Exit) -> bytes:
    """Write the contents of ``exit.json``."""
    return json.dumps(_to_json(exit_)).encode() + b"\n"


def exit_from_json(data: bytes) -> Exit:
    """Read the contents of ``exit.json``. Raise ProtocolError if it is something else."""
    try:
        exit_: Exit = _build(Exit, json.loads(data))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ProtocolError(f"not an exit record: {error!r}") from error
    return exit_


# ── messages ↔ bytes ─────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Frame:
    """A message as it came, with its number and the descriptors the receiver now owns."""

    seq: int
    message: Message
    fds: tuple[int, ...] = ()


def encode(message: Message, *, seq: int = 0, fds: int = 0) -> bytes:
    """Return the bytes of ``message``; the sender attaches ``fds`` descriptors to the first."""
    envelope = {
        "type": _NAMES[type(message)],
        "seq": seq,
        "fds": fds,
        "body": _to_json(message),
    }
    body = json.dumps(envelope, separators=(",", ":")).encode()
    if len(body) > MAX_MESSAGE or fds > MAX_FDS:
        raise ProtocolError(f"message of {len(body)} bytes with {fds} descriptors is too large")
    return len(body).to_bytes(_HEADER, "big") + body


class Decoder:
    """Turns received bytes and descriptors into frames, however they were split.

    ::

        decoder.feed(data, fds)
        while (frame := decoder.next_frame()) is not None: …

    Descriptors that no message has claimed yet belong to the decoder; when the connection ends,
    close what ``unclaimed()`` returns. After a ProtocolError every further call raises it again.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._fds: deque[int] = deque()
        self._broken: ProtocolError | None = None

    def feed(self, data: bytes, fds: Iterable[int] = ()) -> None:
        """Take what one ``recvmsg`` returned."""
        self._buffer += data
        self._fds.extend(fds)

    def next_frame(self) -> Frame | None:
        """Return the next whole message, None if more bytes are needed. Raise ProtocolError."""
        if self._broken is not None:
            raise self._broken
        try:
            return self._next_frame()
        except ProtocolError as error:
            self._broken = error
            raise

    def _next_frame(self) -> Frame | None:
        buffer = self._buffer
        if len(buffer) < _HEADER:
            return None
        end = _HEADER + int.from_bytes(buffer[:_HEADER], "big")
        if end > _HEADER + MAX_MESSAGE:
            raise ProtocolError(f"message of {end - _HEADER} bytes is too large")
        if len(buffer) < end:
            return None
        seq, count, message = _parse(bytes(buffer[_HEADER:end]))
        if count > len(self._fds):
            raise ProtocolError(f"{count} descriptors announced, {len(self._fds)} arrived")
        del buffer[:end]
        return Frame(seq, message, tuple(self._fds.popleft() for _ in range(count)))

    def unclaimed(self) -> Sequence[int]:
        """Return, and forget, the descriptors that belong to no message."""
        rest = tuple(self._fds)
        self._fds.clear()
        return rest


def _parse(body: bytes) -> tuple[int, int, Message]:
    """Return number, count of descriptors and message."""
    try:
        envelope = json.loads(body)
        seq, count = _exact(int)(envelope["seq"]), _exact(int)(envelope["fds"])
        message = _build(_TYPES[envelope["type"]], _exact(dict)(envelope["body"]))
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise ProtocolError(f"malformed message: {error!r:.200}") from error
    if not 0 <= count <= MAX_FDS:
        raise ProtocolError(f"{count} descriptors announced")
    return seq, count, message
