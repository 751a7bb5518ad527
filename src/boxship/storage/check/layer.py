"""Check one layer: its tree, its tar, its record and its short name."""

import os
import time
from collections.abc import Generator, Iterator

from boxship.model.check import CheckProgress, Finding, Outcome
from boxship.oci.digest import Digest
from boxship.storage.check.outline import unpacked_outline
from boxship.storage.check.tree import TreeCheck
from boxship.storage.chunks import TruncatedError, coalesced
from boxship.storage.layers import Layer, LayerStore
from boxship.storage.recipe import DamagedLayerError, rebuild
from boxship.storage.rights import Rights
from boxship.storage.root import StorageRoot
from boxship.storage.stages import HashingStage
from boxship.storage.tar.header import TarError
from boxship.storage.unpack import Unpacked

_STEP = 64 << 20
_TICK_NS = 1_000_000_000
"""More than the clock of any file system is late."""


class LayerCheck:
    """Checks layers of one store."""

    def __init__(
        self, root: StorageRoot, layers: LayerStore, rights: Rights, *, repair: bool
    ) -> None:
        self._root = root
        self._layers = layers
        self._rights = rights
        self._repair = repair

    def run(self, diff_id: Digest) -> Iterator[Finding | CheckProgress]:
        """Yield what is wrong, and now and then how many bytes were read; they start at 0.

        A layer that has lost something is marked: to a pull or load it is not here any more.
        """
        outcomes = set()
        try:
            for event in self._parts(diff_id):
                if isinstance(event, Finding):
                    outcomes.add(event.outcome)
                yield event
            if self._repair and Outcome.UNCHECKED not in outcomes:
                self._layers.mark(diff_id, damaged=Outcome.LOST in outcomes)
        except OSError as error:  # of a repair: the disk is full, or read-only
            yield _finding(diff_id, f"it cannot be repaired: {error}", Outcome.UNCHECKED)

    def _parts(self, diff_id: Digest) -> Iterator[Finding | CheckProgress]:
        directory = self._root.layer(diff_id)
        began_ns = time.time_ns() - _TICK_NS
        try:
            with unpacked_outline(self._root, directory, self._rights) as (wanted, unpacked):
                check = TreeCheck(
                    str(diff_id), self._repair, self._put_aside, self._rights.opaque, began_ns
                )
                yield from check.run(wanted, self._layers.diff_directory(diff_id))
        except (DamagedLayerError, TarError, TruncatedError) as error:
            yield _finding(diff_id, f"its recipe is damaged: {error}", Outcome.LOST)
            return
        except OSError as error:
            yield _finding(diff_id, f"it cannot be looked at: {error}", Outcome.UNCHECKED)
            return
        size = yield from self._tar(diff_id, incomplete=check.incomplete)
        if size is not None:
            yield from self._record(diff_id, size, unpacked)

    def _tar(
        self, diff_id: Digest, *, incomplete: bool
    ) -> Generator[Finding | CheckProgress, None, int | None]:
        """Rebuild the tar; return its size if it is the right one."""
        told = 0
        with HashingStage(coalesced(rebuild(self._root.layer(diff_id)))) as stage:
            try:
                for _ in stage:
                    if stage.size - told >= _STEP:
                        told = stage.size
                        yield CheckProgress("layer", str(diff_id), told, 0)
            except DamagedLayerError as error:
                if incomplete:
                    return None  # which has been told
                yield _finding(diff_id, f"its tar cannot be rebuilt: {error}", Outcome.LOST)
                return None
            except OSError as error:
                yield _finding(diff_id, f"it cannot be looked at: {error}", Outcome.UNCHECKED)
                return None
            if stage.digest() == diff_id:
                return stage.size
        yield _finding(diff_id, "a file's contents have changed", Outcome.LOST)
        return None

    def _record(self, diff_id: Digest, tar_size: int, unpacked: Unpacked) -> Iterator[Finding]:
        recorded = self._layers.recorded(diff_id)
        right = (unpacked.size, tar_size, unpacked.entries)
        if recorded is None or recorded.digest != diff_id or _sizes(recorded) != right:
            problem = "its record (meta.json) is damaged"
        elif not self._layers.is_linked(recorded):
            problem = f"its short name l/{recorded.short} is missing"
        else:
            return
        if self._repair:
            self._layers.record(diff_id, *right)
        outcome = Outcome.REPAIRED if self._repair else Outcome.REPAIRABLE
        yield _finding(diff_id, problem, outcome)

    def _put_aside(self, parent: int, name: bytes) -> None:
        place = self._root.join("lost+found")
        os.makedirs(place, 0o700, exist_ok=True)
        os.rename(name, os.path.join(place, os.urandom(8).hex()), src_dir_fd=parent)


def _sizes(layer: Layer) -> tuple[int, int, int]:
    return layer.size, layer.tar_size, layer.entries


def _finding(diff_id: Digest, problem: str, outcome: Outcome) -> Finding:
    return Finding("layer", str(diff_id), problem, outcome)
