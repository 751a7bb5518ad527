"""The control protocol's bytes: ``messages.py`` ↔ header, JSON and descriptors, without I/O.

The wire format is drawn in ``messages.py``. Values are checked against the annotations there:
what comes out of the decoder has the types it claims. Daemon and shim may be of different
versions: fields that have their default's value aren't sent, and unknown ones are passed over. A
frame can be taken without its body being looked at, which the shim leaves to a process that does
not live as long.
"""

import json
import struct
from collections.abc import Callable, Iterable
from dataclasses import MISSING, Field, dataclass, fields
from typing import Any, Final, NamedTuple

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
    LogFacts,
    LogPosition,
    LogTarget,
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

_CUT: Final = -1
"""Stands in the queue of descriptors where the kernel dropped some."""

MAX_FDS: Final = 64
"""Most descriptors with one message (the kernel allows 253)."""

_header: Final = struct.Struct(">IIBBxx")


class ProtocolError(Exception):
    """The peer broke the protocol; the connection is of no further use."""


# The index is what travels. Append; never reorder: a new daemon talks to old shims.
_TYPES: Final[tuple[type[Message], ...]] = (
    Start,
    Exec,
    Attach,
    Resume,
    Resize,
    Signal,
    StateQuery,
    Release,
    Started,
    Failed,
    Attached,
    Done,
    State,
    Released,
    ExecExited,
    Detached,
    Exited,
)
_NUMBERS: Final = {cls: number for number, cls in enumerate(_TYPES)}


# ── values ↔ JSON ────────────────────────────────────────────────────────────────────────────


def _exact(kind: type) -> Callable[[Any], Any]:
    def convert(value: Any) -> Any:
        if type(value) is not kind:  # not isinstance: True is no number here
            raise TypeError(f"{value!r:.80} is not {kind.__name__}")
        return value

    return convert


def _bytes(value: Any) -> bytes:
    return bytes(_exact(str)(value), "latin-1")


def _default(field: Field[Any]) -> Any:
    return field.default if field.default_factory is MISSING else field.default_factory()


def _part(cls: Any) -> Callable[[Any], Any]:
    return lambda value: _build(cls, _exact(dict)(value))


def _sequence(convert: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: tuple(convert(item) for item in _exact(list)(value))


def _optional(convert: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: None if value is None else convert(value)


def _texts(value: Any) -> dict[str, str]:
    text = _exact(str)
    return {text(name): text(item) for name, item in _exact(dict)(value).items()}


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
    "dict[str, str]": _texts,
    "LogConfig": _part(LogConfig),
    "LogFacts": _part(LogFacts),
    "LogTarget | None": _optional(_part(LogTarget)),
    "LogPosition": _part(LogPosition),
    "Attachment": _part(Attachment),
    "tuple[Attachment, ...]": _sequence(_part(Attachment)),
    "tuple[StepTiming, ...]": _sequence(_part(StepTiming)),
    "tuple[ExecState, ...]": _sequence(_part(ExecState)),
    "Exit": _part(Exit),
    "Exit | None": _optional(_part(Exit)),
}
_PARTS: Final = (
    Stdio, LogFacts, LogTarget, LogConfig, LogPosition, Attachment, StepTiming, ExecState, Exit,
)  # fmt: skip
_FIELDS: Final[dict[type, dict[str, Callable[[Any], Any]]]] = {
    cls: {f.name: _FROM_JSON[str(f.type)] for f in fields(cls)} for cls in (*_PARTS, *_TYPES)
}


_DEFAULTS: Final[dict[type, dict[str, Any]]] = {
    cls: {f.name: _default(f) for f in fields(cls)} for cls in (*_PARTS, *_TYPES)
}


def _build(cls: Any, body: Json) -> Any:
    table = _FIELDS[cls]
    return cls(**{name: table[name](value) for name, value in body.items() if name in table})


def _to_json(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if isinstance(value, tuple):
        return [_to_json(item) for item in value]
    defaults = _DEFAULTS.get(type(value))
    if defaults is None:
        return value
    return {
        name: _to_json(part)
        for name, default in defaults.items()
        if (part := getattr(value, name)) != default
    }


def target_to_json(target: LogTarget) -> str:
    """Write a target as text, for a process that knows nothing else of the message."""
    return json.dumps(_to_json(target))


def target_from_json(text: str) -> LogTarget:
    """Read what ``target_to_json`` has written."""
    target: LogTarget = _build(LogTarget, json.loads(text))
    return target


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


class RawFrame(NamedTuple):
    """A message as it came, its body not looked at; the receiver owns the descriptors."""

    kind: type[Message]
    seq: int
    body: bytes
    fds: tuple[int, ...] = ()
    cut: bool = False
    """Not all of its descriptors found room in our table."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A message with its number and the descriptors the receiver now owns."""

    seq: int
    message: Message
    fds: tuple[int, ...] = ()


def encode(message: Message, *, seq: int = 0, fds: int = 0) -> bytes:
    """Return the bytes of ``message``; the sender attaches ``fds`` descriptors to the first."""
    body = json.dumps(_to_json(message), separators=(",", ":")).encode()
    if len(body) > MAX_MESSAGE or fds > MAX_FDS:
        raise ProtocolError(f"message of {len(body)} bytes with {fds} descriptors is too large")
    return _header.pack(len(body), seq, _NUMBERS[type(message)], fds) + body


def parse(raw: RawFrame) -> Frame:
    """Look at the body. Raise ProtocolError."""
    try:
        message = _build(raw.kind, _exact(dict)(json.loads(raw.body)))
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise ProtocolError(f"malformed message: {error!r:.200}") from error
    return Frame(raw.seq, message, raw.fds)


class Decoder:
    """Turns received bytes and descriptors into frames, however they were split.

    ::

        decoder.feed(data, fds)
        while (frame := decoder.next_frame()) is not None: …

    Descriptors that no message has claimed yet belong to the decoder; when the connection ends,
    close what ``unclaimed()`` returns. After a ProtocolError every further call raises it again.
    """

    def __init__(self) -> None:
        self._buffer = b""
        self._fds: list[int] = []
        self._broken: ProtocolError | None = None

    def feed(self, data: bytes, fds: Iterable[int] = (), *, cut: bool = False) -> None:
        """Take what one ``recvmsg`` returned; ``cut``: it set MSG_CTRUNC."""
        self._buffer += data
        self._fds.extend(fds)
        if cut:
            self._fds.append(_CUT)

    def next_frame(self) -> Frame | None:
        """Return the next whole message, None if more bytes are needed. Raise ProtocolError."""
        raw = self.next_raw()
        if raw is None:
            return None
        try:
            return parse(raw)
        except ProtocolError as error:
            self._broken = error
            self._fds[:0] = raw.fds
            raise

    def next_raw(self) -> RawFrame | None:
        """Return the next whole message unparsed, None if more bytes are needed."""
        if self._broken is not None:
            raise self._broken
        try:
            return self._next_raw()
        except ProtocolError as error:
            self._broken = error
            raise

    def _next_raw(self) -> RawFrame | None:
        if len(self._buffer) < _header.size:
            return None
        length, seq, number, count = _header.unpack_from(self._buffer)
        if length > MAX_MESSAGE or number >= len(_TYPES) or count > MAX_FDS:
            raise ProtocolError(f"message of {length} bytes, kind {number}, {count} descriptors")
        end = _header.size + length
        if len(self._buffer) < end:
            return None
        cut = _CUT in self._fds[:count]
        have = self._fds.index(_CUT) if cut else count
        if have > len(self._fds):
            raise ProtocolError(f"{count} descriptors announced, {len(self._fds)} arrived")
        body, self._buffer = self._buffer[_header.size : end], self._buffer[end:]
        fds, self._fds = tuple(self._fds[:have]), self._fds[have + cut :]
        return RawFrame(_TYPES[number], seq, body, fds, cut)

    def wanted(self) -> int:
        """Return how many bytes complete the next header or message, for who must not read on."""
        have = len(self._buffer)
        if have < _header.size:
            return _header.size - have
        return int(_header.unpack_from(self._buffer)[0]) + _header.size - have

    def unclaimed(self) -> tuple[int, ...]:
        """Return, and forget, the descriptors that belong to no message."""
        rest, self._fds = tuple(fd for fd in self._fds if fd != _CUT), []
        return rest
