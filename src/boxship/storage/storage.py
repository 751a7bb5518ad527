"""All the stores of one data root, opened together."""

from dataclasses import dataclass

from boxship.storage.blobs import BlobStore
from boxship.storage.disposal import Disposal
from boxship.storage.drivers import open_snapshots
from boxship.storage.layers import LayerStore
from boxship.storage.rights import Rights, look
from boxship.storage.root import StorageRoot
from boxship.storage.snapshots import SnapshotDriver
from boxship.storage.volumes import VolumeStore
from boxship.storage.writeback import WriteBack


@dataclass(frozen=True, slots=True)
class Storage:
    """What the engine is handed. One process at a time may have a data root open."""

    root: StorageRoot
    blobs: BlobStore
    layers: LayerStore
    snapshots: SnapshotDriver
    rights: Rights
    disposal: Disposal
    writeback: WriteBack
    volumes: VolumeStore

    @classmethod
    def open(cls, data_root: str, driver: str = "") -> "Storage":
        """Open the stores below ``data_root``, making the directories that are missing.

        ``driver`` makes new snapshots (``drivers.py``). Raise UnavailableError where it cannot.
        """
        root = StorageRoot(data_root)
        disposal = Disposal()
        writeback = WriteBack(root.sync)
        with root.temporary() as place:
            rights = look(place)
        layers = LayerStore(root, disposal, writeback, rights)
        snapshots = open_snapshots(root, layers, disposal, rights, driver)
        blobs, volumes = BlobStore(root), VolumeStore(root, disposal)
        return cls(root, blobs, layers, snapshots, rights, disposal, writeback, volumes)
