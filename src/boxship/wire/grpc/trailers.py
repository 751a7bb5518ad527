"""How a call's end is written at the end of its stream."""

from boxship.wire.grpc.metadata import Metadata, Pairs, binary_header
from boxship.wire.grpc.status import Status, code_of, quoted, unquoted

_CODE, _MESSAGE, _DETAILS = "grpc-status", "grpc-message", "grpc-status-details-bin"


def to_trailers(status: Status) -> Pairs:
    """Return the header block that ends an answer."""
    trailers = [(_CODE.encode(), b"%d" % status.code)]
    if status.message:
        trailers.append((_MESSAGE.encode(), quoted(status.message).encode("ascii")))
    if status.details:
        trailers.append((_DETAILS.encode(), binary_header(status.details)))
    return trailers


def from_trailers(trailers: Metadata) -> Status:
    """Read it."""
    return Status(
        code_of(trailers.first(_CODE)),
        unquoted(trailers.first(_MESSAGE)),
        next(iter(trailers.binary.get(_DETAILS, ())), b""),
    )
