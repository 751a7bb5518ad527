"""Details of a failed build in a status: where in the Dockerfile it went wrong.

They travel as JSON in a ``google.protobuf.Any`` (containerd's typeurl does so with types that are
registered by a name that ends in ``+json``; BuildKit's are).
"""

import base64
import binascii

import msgspec

from boxship.wire.buildkit.solver import Position, Range, SourceInfo
from boxship.wire.buildkit.wellknown import Any, RpcStatus
from boxship.wire.protobuf import DecodeError, Message, decode, encode

_SOURCE = "github.com/moby/buildkit/errdefs.Source+json"


class _JsonPosition(msgspec.Struct, omit_defaults=True):
    line: int = 0
    character: int = 0


class _JsonRange(msgspec.Struct, omit_defaults=True):
    start: _JsonPosition | None = None
    end: _JsonPosition | None = None


class _JsonInfo(msgspec.Struct, omit_defaults=True):
    filename: str = ""
    data: str = ""
    language: str = ""


class _JsonSource(msgspec.Struct, omit_defaults=True):
    info: _JsonInfo | None = None
    ranges: list[_JsonRange] = []


class FailurePlace(Message, frozen=True):
    """``errdefs.Source``: ranges of a file. Not sent as protobuf, therefore without numbers."""

    info: SourceInfo
    ranges: tuple[Range, ...] = ()


def encode_failure(code: int, message: str, places: tuple[FailurePlace, ...]) -> bytes:
    """Return the ``google.rpc.Status`` for ``grpc-status-details-bin``."""
    details = tuple(Any(_SOURCE, msgspec.json.encode(_to_json(place))) for place in places)
    return encode(RpcStatus(code, message, details))


def decode_failure(details: bytes) -> tuple[FailurePlace, ...]:
    """Return the places that a status's details name; none for details of other kinds."""
    try:
        status = decode(details, RpcStatus)
        return tuple(
            _from_json(msgspec.json.decode(detail.value, type=_JsonSource))
            for detail in status.details
            if detail.type_url.endswith("errdefs.Source+json")
        )
    except (DecodeError, msgspec.DecodeError, binascii.Error):
        return ()


def _to_json(place: FailurePlace) -> _JsonSource:
    info = place.info
    return _JsonSource(
        _JsonInfo(info.filename, base64.b64encode(info.data).decode(), info.language),
        [_JsonRange(_of(each.start), _of(each.end)) for each in place.ranges],
    )


def _of(position: Position | None) -> _JsonPosition | None:
    return None if position is None else _JsonPosition(position.line, position.character)


def _from_json(source: _JsonSource) -> FailurePlace:
    info = source.info or _JsonInfo()
    return FailurePlace(
        SourceInfo(
            filename=info.filename, data=base64.b64decode(info.data), language=info.language
        ),
        tuple(Range(_to(each.start), _to(each.end)) for each in source.ranges),
    )


def _to(position: _JsonPosition | None) -> Position | None:
    return None if position is None else Position(position.line, position.character)
