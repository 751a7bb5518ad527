"""What a plugin can be: the names of it that Docker's two generations of plugins use."""

from enum import Enum


class Capability(Enum):
    """A kind of plugin. The value is what ``Plugin.Activate`` answers in ``Implements``."""

    VOLUME = "VolumeDriver"
    NETWORK = "NetworkDriver"
    IPAM = "IpamDriver"
    AUTHORIZATION = "authz"
    LOG = "LogDriver"
    METRICS = "MetricsCollector"

    @property
    def interface(self) -> str:
        """The type in a managed plugin's configuration: ``docker.volumedriver/1.0``."""
        return f"docker.{self.value.lower()}/1.0"


def implemented(words: tuple[str, ...]) -> frozenset[Capability]:
    """Return the capabilities among the words of an ``Implements``; unknown ones are passed over.

    Case is not looked at: plugins write ``authz`` and ``LogDriver``, but also ``logdriver``.
    """
    known = {capability.value.lower(): capability for capability in Capability}
    return frozenset(known[word.lower()] for word in words if word.lower() in known)
