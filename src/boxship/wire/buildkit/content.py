"""``containerd.services.content.v1``: a client's store of blobs, as local caches and layouts are.

A client of BuildKit serves one for each OCI layout that it offers; the metadata ``STORE`` says
which: ``local:<directory>`` of a cache, ``oci:<name>`` of a named context, ``export`` of an output.
"""

from enum import IntEnum
from typing import Annotated

from boxship.wire.protobuf import Message

STORE = "buildkit-attachable-store-id"


class WriteAction(IntEnum):
    """What a message of a write wants."""

    STAT = 0
    WRITE = 1
    COMMIT = 2


class BlobInfo(Message, frozen=True):
    digest: Annotated[str, 1] = ""
    size: Annotated[int, 2] = 0


class InfoRequest(Message, frozen=True):
    digest: Annotated[str, 1] = ""


class InfoResponse(Message, frozen=True):
    info: Annotated[BlobInfo | None, 1] = None


class ReadRequest(Message, frozen=True):
    digest: Annotated[str, 1] = ""
    offset: Annotated[int, 2] = 0
    size: Annotated[int, 3] = 0
    """0: all."""


class ReadResponse(Message, frozen=True):
    offset: Annotated[int, 1] = 0
    data: Annotated[bytes, 2] = b""


class WriteRequest(Message, frozen=True):
    action: Annotated[int, 1] = 0
    """A :class:`WriteAction`."""
    ref: Annotated[str, 2] = ""
    """Names the write until it is committed."""
    total: Annotated[int, 3] = 0
    expected: Annotated[str, 4] = ""
    offset: Annotated[int, 5] = 0
    data: Annotated[bytes, 6] = b""


class WriteResponse(Message, frozen=True):
    action: Annotated[int, 1] = 0
    offset: Annotated[int, 4] = 0
    total: Annotated[int, 5] = 0
    digest: Annotated[str, 6] = ""
