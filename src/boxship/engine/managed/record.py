"""What the engine remembers of a managed plugin: persisted, frozen, as JSON."""

import msgspec
from msgspec import Struct

from boxship.oci.plugin import PluginConfig, PluginDevice, PluginMount

DEFAULT_TIMEOUT = 30
"""Seconds for a call, where whoever enabled it said nothing; as Docker's client."""


class PluginSettings(Struct, frozen=True, rename="pascal"):
    """What may be changed of a configuration, as it is now."""

    args: tuple[str, ...] = ()
    devices: tuple[PluginDevice, ...] = ()
    env: tuple[str, ...] = ()
    mounts: tuple[PluginMount, ...] = ()


class PluginRecord(Struct, frozen=True):
    """A managed plugin. ``name`` is familiar and has a tag: ``vieux/sshfs:latest``."""

    id: str
    name: str
    reference: str
    """Where it came from, and goes to."""
    config: PluginConfig
    settings: PluginSettings
    manifest: str
    """Digest of its manifest, whose blobs are kept as long as the plugin."""
    blobs: tuple[str, ...]
    """Digests of its configuration and its layers."""
    process: str
    """Id of the container that it is run as, which is another after each upgrade."""
    enabled: bool = False
    timeout: int = DEFAULT_TIMEOUT

    @property
    def types(self) -> tuple[str, ...]:
        """What it implements: ``docker.volumedriver/1.0``."""
        return self.config.interface.types or ()


_DECODER = msgspec.json.Decoder(PluginRecord)


def encode_record(record: PluginRecord) -> bytes:
    """Write the record as it stands in the database."""
    return msgspec.json.encode(record)


def decode_record(body: bytes) -> PluginRecord:
    """Read what :func:`encode_record` wrote, also of an older version."""
    return _DECODER.decode(body)
