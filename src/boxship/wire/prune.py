"""What a prune of each kind of object answers; a list is null when nothing went."""

from msgspec import Struct

from boxship.wire.images import RemovedRow


class ContainersPruned(Struct, frozen=True, rename="pascal"):
    """``POST /containers/prune``; bytes."""

    containers_deleted: tuple[str, ...] | None = None
    space_reclaimed: int = 0


class ImagesPruned(Struct, frozen=True, rename="pascal"):
    """``POST /images/prune``; bytes."""

    images_deleted: tuple[RemovedRow, ...] | None = None
    space_reclaimed: int = 0


class NetworksPruned(Struct, frozen=True, rename="pascal"):
    """``POST /networks/prune``."""

    networks_deleted: tuple[str, ...] | None = None


class VolumesPruned(Struct, frozen=True, rename="pascal"):
    """``POST /volumes/prune``; bytes."""

    volumes_deleted: tuple[str, ...] = ()
    space_reclaimed: int = 0


class CachesPruned(Struct, frozen=True, rename="pascal"):
    """``POST /build/prune``; bytes."""

    caches_deleted: tuple[str, ...] | None = None
    space_reclaimed: int = 0


class EverythingPruned(Struct, frozen=True, rename="pascal"):
    """``GET /system/prune/plan``; bytes."""

    containers_deleted: tuple[str, ...]
    networks_deleted: tuple[str, ...]
    volumes_deleted: tuple[str, ...]
    images_deleted: tuple[RemovedRow, ...]
    space_reclaimed: int
