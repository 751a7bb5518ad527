"""``fsutil.types``: how a directory travels (tonistiigi/fsutil types/wire.proto, stat.proto).

The side that has the files speaks first::

    sender                                 receiver
    STAT  for each path, sorted       ──►
    STAT  without stat: that was all  ──►
                                      ◄──  REQ id          for each file it wants, at any time
    DATA  id, content …               ──►
    DATA  id, empty: the file's end   ──►
                                      ◄──  FIN             it has all
    FIN                               ──►

``id`` counts the STAT packets from 0. Paths are relative, directories before what is in them, and
siblings by bytes, ``/`` sorting before everything else. Either side ends it by ERR, whose data is
the reason.
"""

from enum import IntEnum
from typing import Annotated

from boxship.wire.protobuf import Message


class PacketType(IntEnum):
    """The kinds of packets."""

    STAT = 0
    REQ = 1
    DATA = 2
    FIN = 3
    ERR = 4


class Stat(Message, frozen=True):
    """One path. ``mode`` is that of Go's ``os.FileMode``, whose type bits are Go's own."""

    path: Annotated[str, 1] = ""
    mode: Annotated[int, 2] = 0
    uid: Annotated[int, 3] = 0
    gid: Annotated[int, 4] = 0
    size: Annotated[int, 5] = 0
    modified_ns: Annotated[int, 6] = 0
    linkname: Annotated[str, 7] = ""
    """Target of a symbolic link; of a hard link, the path that came before."""
    device_major: Annotated[int, 8] = 0
    device_minor: Annotated[int, 9] = 0
    xattrs: Annotated[dict[str, bytes], 10] = {}


class Packet(Message, frozen=True):
    type: Annotated[int, 1] = 0
    """A :class:`PacketType`."""
    stat: Annotated[Stat | None, 2] = None
    id: Annotated[int, 3] = 0
    data: Annotated[bytes, 4] = b""


# Bits of Go's os.FileMode above the nine permission bits (https://pkg.go.dev/io/fs#FileMode).
GO_DIRECTORY = 1 << 31
GO_SYMLINK = 1 << 27
GO_DEVICE = 1 << 26
GO_NAMED_PIPE = 1 << 25
GO_SOCKET = 1 << 24
GO_SETUID = 1 << 23
GO_SETGID = 1 << 22
GO_CHAR_DEVICE = 1 << 21
GO_STICKY = 1 << 20
GO_IRREGULAR = 1 << 19
GO_TYPE = GO_DIRECTORY | GO_SYMLINK | GO_DEVICE | GO_NAMED_PIPE | GO_SOCKET | GO_CHAR_DEVICE
GO_TYPE |= GO_IRREGULAR

# Metadata of the call that asks a client for a directory.
DIR_NAME = "dir-name"
INCLUDE_PATTERNS = "include-patterns"
EXCLUDE_PATTERNS = "exclude-patterns"
FOLLOW_PATHS = "followpaths"
ENCODED = "-encoded"
"""Suffix of a name whose values are percent-encoded, because they aren't ASCII."""
EXPORTER_METADATA = "exporter-md-"
"""Prefix of what an exporter says of the file that it sends to the client."""
EXPORTER_ID = "buildkit-attachable-exporter-id"
