"""``storage-opts`` of the configuration: ``overlay2.size=10g`` and what means nothing here."""

from typing import TYPE_CHECKING

from boxship.base.errors import InvalidArgumentError
from boxship.base.units import parse_bytes

if TYPE_CHECKING:
    from boxship.daemon.config import DaemonConfig

_SIZES = ("size", "overlay2.size", "vfs.size")
_GRANTED = ("overlay2.override_kernel_check", "overlay.override_kernel_check")
"""Docker's word for kernels that are too old for overlay: none that Boxship runs on is."""


def container_size(config: "DaemonConfig") -> int:
    """Return how many bytes each container may write; 0: any. InvalidArgumentError names it."""
    size = 0
    for option in config.words("storage-opts"):
        name, _, value = option.partition("=")
        if name in _GRANTED:
            continue
        if name not in _SIZES:
            raise InvalidArgumentError(
                f"invalid storage-opts: unknown option {name} (known is overlay2.size=10g)"
            )
        try:
            size = parse_bytes(value)
        except ValueError as error:
            raise InvalidArgumentError(f"invalid storage-opts: {name}: {error}") from error
    return size
