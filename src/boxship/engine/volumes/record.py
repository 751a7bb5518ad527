"""What the engine remembers of a volume: ``VolumeRecord``, persisted, frozen, as JSON.

A field added later gets a default here and needs no migration. Times are nanoseconds since the
epoch (0: never).
"""

import msgspec
from msgspec import Struct

LOCAL = "local"
ANONYMOUS_LABEL = "com.docker.volume.anonymous"
"""Docker's mark of a volume that nobody has given a name."""


class VolumeRecord(Struct, frozen=True):
    """A volume. ``options`` are the driver's; the local one's: ``type``, ``o`` and ``device``."""

    id: str
    name: str
    created_ns: int
    driver: str = LOCAL
    labels: dict[str, str] | None = None
    options: dict[str, str] | None = None
    last_used_ns: int = 0
    """When a container with it was last made, started or removed."""
    read_only: bool = False
    """A snapshot: nobody writes to it any more."""
    origin: str = ""
    """The id of the volume that it is a copy of."""
    taken_from: str = ""
    """The directory of another engine that its files come from."""
    caller: str = ""
    """Of a plugin's volume: as whom the engine has it mounted, or is about to have it."""

    @property
    def remote(self) -> bool:
        """Whether a plugin keeps it."""
        return self.driver != LOCAL

    @property
    def anonymous(self) -> bool:
        return ANONYMOUS_LABEL in (self.labels or {})


_DECODER = msgspec.json.Decoder(VolumeRecord)
_ENCODER = msgspec.json.Encoder()


def encode_record(record: VolumeRecord) -> bytes:
    """Write the record as it stands in the database."""
    return _ENCODER.encode(record)


def decode_record(body: bytes) -> VolumeRecord:
    """Read what :func:`encode_record` wrote, also of an older version."""
    return _DECODER.decode(body)
