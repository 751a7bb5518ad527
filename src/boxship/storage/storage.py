"""All the stores of one data root, opened together."""

from dataclasses import dataclass

from boxship.storage.blobs import BlobStore
from boxship.storage.disposal import Disposal
from boxship.storage.layers import LayerStore
from boxship.storage.overlay import OverlayDriver
from boxship.storage.root import StorageRoot
from boxship.storage.snapshots import SnapshotDriver
from boxship.storage.writeback import WriteBack


@dataclass(frozen=True, slots=True)
class Storage:
    """What the engine is handed. One process at a time may have a data root open."""

    root: StorageRoot
    blobs: BlobStore
    layers: LayerStore
    snapshots: SnapshotDriver
    disposal: Disposal
    writeback: WriteBack

    @classmethod
    def open(cls, data_root: str) -> "Storage":
        """Open the stores below ``data_root``, making the directories that are missing."""
        root = StorageRoot(data_root)
        disposal = Disposal()
        writeback = WriteBack(root.sync)
        layers = LayerStore(root, disposal, writeback)
        snapshots = OverlayDriver(root, layers, disposal)
        return cls(root, BlobStore(root), layers, snapshots, disposal, writeback)
