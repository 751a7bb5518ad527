"""dockerd's data root, as far as it is read; every path in it is made here.

::

    <root>/
      image/<driver>/
        repositories.json                   names and what they mean
        imagedb/content/sha256/<id>         an image's config, byte for byte
        imagedb/metadata/sha256/<id>/parent the image that it was built on, if it was built here
        layerdb/sha256/<chain id>/          diff (the diff id), cache-id, tar-split.json.gz
        layerdb/mounts/<container>/         mount-id
      overlay2/<cache id>/diff/             a layer's tree, or what a container has written
      vfs/dir/<cache id>/                   a layer's tree with all those below it, likewise
      vfs/dir/<mount id>-init/              what a container began with
      containers/<id>/                      config.v2.json, hostconfig.json, <id>-json.log[.N[.gz]]
      volumes/<name>/_data/, opts.json      a volume of the local driver
      volumes/metadata.db                   labels and options, bbolt; dockerd has it locked
      network/files/local-kv.db             networks, bbolt; likewise
      rootfs/overlayfs/                     is there where containerd's stores are used
      containerd/daemon/                    these stores (``containerd.py``), if dockerd has started
                                            containerd itself

dockerd holds the databases by flock(2) as long as it runs, and cannot start while we do.
"""

import contextlib
import errno
import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

from boxship.base.errors import ConflictError, InvalidArgumentError, NotFoundError, UnavailableError
from boxship.base.files import opened
from boxship.importing.boltdb import DamagedDatabaseError, pairs

DRIVERS = ("overlay2", "vfs")
OVERLAYFS = "overlayfs"
"""What dockerd calls the driver where containerd keeps images and containers' files."""
MACHINES_CONTAINERD = "/var/lib/containerd"
_DATABASES = ("volumes/metadata.db", "network/files/local-kv.db")
_METADATA = "io.containerd.metadata.v1.bolt/meta.db"
_OTHERS = {"btrfs", "zfs", "devicemapper", "aufs", "fuse-overlayfs", "overlay"}
_MAPPED = re.compile(r"\d+\.\d+")


@dataclass(frozen=True, slots=True)
class DockerRoot:
    """One data root. Keeps no state."""

    path: str
    machines_containerd: str = MACHINES_CONTAINERD
    """Where the stores of a containerd are that dockerd has not started itself."""

    def join(self, *names: str) -> str:
        return os.path.join(self.path, *names)

    @property
    def drivers(self) -> tuple[str, ...]:
        """Storage drivers that have images here."""
        return tuple(name for name in DRIVERS if os.path.isdir(self.join("image", name)))

    @property
    def uses_containerd(self) -> bool:
        """Tell whether containerd keeps images and containers' files."""
        return os.path.isdir(self.join("rootfs", OVERLAYFS))

    @property
    def containerd(self) -> str:
        own = self.join("containerd", "daemon")
        return own if os.path.exists(os.path.join(own, _METADATA)) else self.machines_containerd

    @property
    def containerd_metadata(self) -> str:
        return os.path.join(self.containerd, _METADATA)

    def blob(self, digest: str) -> str:
        """Return a file of containerd's content store."""
        place = "io.containerd.content.v1.content/blobs"
        return os.path.join(self.containerd, place, *digest.split(":", 1))

    def snapshotter(self, *names: str) -> str:
        return os.path.join(self.containerd, "io.containerd.snapshotter.v1.overlayfs", *names)

    @property
    def databases(self) -> tuple[str, ...]:
        """Return what is locked while it is used."""
        own = tuple(map(self.join, _DATABASES))
        if not self.uses_containerd:
            return own
        return (*own, self.containerd_metadata, self.snapshotter("metadata.db"))

    def images(self, driver: str, *names: str) -> str:
        return self.join("image", driver, *names)

    def tree(self, driver: str, cache_id: str) -> str:
        """Return a layer's files; a container's among them."""
        if driver == "vfs":
            return self.join("vfs", "dir", cache_id)
        return self.join(driver, cache_id, "diff")

    def container(self, container_id: str, *names: str) -> str:
        return self.join("containers", container_id, *names)

    def log(self, container_id: str) -> str:
        return self.container(container_id, f"{container_id}-json.log")

    def volume(self, name: str, *names: str) -> str:
        return self.join("volumes", name, *names)

    def files(self, volume: str) -> str:
        """Return the directory of a volume's files, by which it is known again."""
        return self.volume(volume, "_data")

    def database(self, name: str, bucket: bytes) -> list[tuple[bytes, bytes]]:
        """Return what is in a bucket of one of the databases. UnavailableError."""
        path = self.join(name)
        try:
            with open(path, "rb") as file:
                return list(pairs(file.read(), bucket))
        except FileNotFoundError:
            return []
        except (OSError, DamagedDatabaseError) as error:
            raise UnavailableError(f"{path} cannot be read: {error}") from error


@contextlib.contextmanager
def opened_root(path: str, containerd: str = MACHINES_CONTAINERD) -> Iterator[DockerRoot]:
    """Own a data root: no dockerd starts on it meanwhile, and nobody else reads it.

    ``containerd`` is the root of the machine's own.

    NotFoundError: it is none; ConflictError: a daemon runs on it; InvalidArgumentError: it is of a
    kind that cannot be taken over; UnavailableError: it cannot be read.
    """
    root = DockerRoot(os.path.realpath(path), os.path.realpath(containerd))
    try:
        _check(root)
        with ExitStack() as held:
            for database in root.databases:
                with contextlib.suppress(FileNotFoundError):
                    _lock(held.enter_context(opened(database, os.O_RDONLY)), database)
            yield root
    except PermissionError as error:
        raise UnavailableError(
            f"{error.filename or root.path} cannot be read: {error.strerror}; a data root is its "
            "daemon's user's, mostly root's"
        ) from error


def _check(root: DockerRoot) -> None:
    try:
        names = set(os.listdir(root.path))
    except FileNotFoundError:
        raise NotFoundError(f"there is no directory {root.path}") from None
    except NotADirectoryError:
        raise InvalidArgumentError(f"{root.path} is no directory") from None
    if _MAPPED.fullmatch(os.path.basename(root.path)):
        raise InvalidArgumentError(
            f"{root.path} is of a dockerd with userns-remap: its files have other owners on the "
            "disk, and cannot be taken over"
        )
    if mapped := sorted(filter(_MAPPED.fullmatch, names)):
        raise InvalidArgumentError(
            f"dockerd used {root.path} with userns-remap ({mapped[0]}): its files have other "
            "owners on the disk, and cannot be taken over"
        )
    if "containers" not in names or not {"image", "rootfs"} & names:
        raise NotFoundError(
            f"{root.path} is no data root of dockerd: there is nothing of images or containers"
        )
    _check_driver(root)


def _check_driver(root: DockerRoot) -> None:
    if root.uses_containerd:
        return
    found = set(os.listdir(root.join("image")))
    if not root.drivers and (others := sorted(found & _OTHERS)):
        raise InvalidArgumentError(
            f"images of the storage driver {others[0]} cannot be read from {root.path}: save them "
            "by docker save, and load them"
        )


def _lock(fd: int, path: str) -> None:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno != errno.EWOULDBLOCK:
            raise
        raise ConflictError(
            f"{path} is in use{_by_whom(fd)}: stop Docker's daemon first (systemctl stop "
            "docker.socket docker containerd)"
        ) from None


def _by_whom(fd: int) -> str:
    """Name the process that has the lock, as proc_locks(5) tells it."""
    status = os.fstat(fd)
    inode = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}"
    with contextlib.suppress(OSError), open("/proc/locks", encoding="ascii") as locks:
        for line in locks:
            words = line.split()
            if "FLOCK" in words and inode in words:
                pid = words[words.index(inode) - 1]
                with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as name:
                    return f" by {name.read().strip()} (process {pid})"
    return ""
