"""Check everything that is stored against what the records say is needed.

What is needed and not here, or not as it was, is told. What is here and not needed is garbage if it
has been lying there for a while: a moment ago it may have been the beginning of something.
"""

import os
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from functools import partial

from boxship.base.errors import NotFoundError
from boxship.model.check import CheckEvent, CheckProgress, CheckSummary, Finding, Outcome
from boxship.oci.digest import Digest
from boxship.storage.check.layer import LayerCheck
from boxship.storage.snapshots import OverlayMount
from boxship.storage.storage import Storage

_HOUR, _DAY = 3600, 86400


@dataclass(frozen=True, slots=True)
class Needed:
    """What the records name."""

    layers: frozenset[Digest] = frozenset()
    blobs: frozenset[Digest] = frozenset()
    copies: frozenset[Digest] = frozenset()
    """Blobs that spare work, and that nobody misses: compressed layers."""
    awaited: frozenset[Digest] = frozenset()
    """Layers that a pull which broke off goes on with, as far as it has brought them."""
    snapshots: frozenset[str] = frozenset()


class StoreCheck:
    """One check; run it once, in a thread that may take its time."""

    def __init__(
        self,
        storage: Storage,
        needed: Needed,
        *,
        repair: bool,
        now: Callable[[], float] = time.time,
    ) -> None:
        """``now`` gives seconds since the epoch, to tell old garbage from new beginnings.

        Garbage is what was old already when ``needed`` was true: a check may take many hours, and
        the containers that are made meanwhile are not among it.
        """
        self._storage = storage
        self._needed = needed
        self._repair = repair
        self._began = now()
        self._left = storage.root.left_over()
        self._counts: Counter[str] = Counter()
        self._layers = LayerCheck(storage.root, storage.layers, storage.rights, repair=repair)
        self._done = 0
        self._total = 0

    def run(self) -> Generator[CheckEvent, None, None]:
        """Yield findings and progress, and a summary in the end."""
        repaired = remaining = 0
        for event in self._parts():
            if isinstance(event, Finding):
                repaired += event.outcome is Outcome.REPAIRED
                remaining += event.outcome is not Outcome.REPAIRED
            yield event
        counts = self._counts
        yield CheckSummary(counts["blob"], counts["layer"], counts["snapshot"], repaired, remaining)

    def _parts(self) -> Iterator[CheckEvent]:
        self._total = sum(layer.tar_size for layer in self._storage.layers.all())
        yield from self._blobs()
        yield from self._all_layers()
        yield from self._snapshots()
        yield from self._left_over()

    def _blobs(self) -> Iterator[CheckEvent]:
        blobs = self._storage.blobs
        present = blobs.all()
        for digest in present:
            self._counts["blob"] += 1
            path = self._storage.root.blob(digest)
            if digest not in self._needed.blobs | self._needed.copies:
                yield from self._garbage(path, _HOUR, partial(blobs.remove, digest))
                continue
            yield CheckProgress("blob", str(digest), self._done, self._total)
            if blobs.verify(digest):
                continue
            if digest in self._needed.copies:
                if self._repair:
                    blobs.remove(digest)  # it is compressed anew when it is asked for
                yield self._settled("blob", str(digest), "this copy of a layer has changed")
            else:
                problem = "its bytes have changed, or cannot be read"
                yield Finding("blob", str(digest), problem, Outcome.LOST)
        for digest in self._needed.blobs.difference(present):
            if not os.path.lexists(self._storage.root.blob(digest)):
                yield Finding("blob", str(digest), "is missing", Outcome.LOST)

    def _all_layers(self) -> Iterator[CheckEvent]:
        layers = self._storage.layers
        for diff_id in [layer.digest for layer in layers.all()] + layers.unknown():
            with layers.lease() as lease:
                lease.hold(diff_id)
                if os.path.isdir(self._storage.root.layer(diff_id)):
                    yield from self._layer(diff_id)
        for diff_id in self._needed.layers:
            if not os.path.isdir(self._storage.root.layer(diff_id)):
                yield Finding("layer", str(diff_id), "is missing", Outcome.LOST)
        for name in layers.stray_links(remove=self._repair):
            yield self._settled("garbage", f"l/{name}", "a short name of no layer")

    def _layer(self, diff_id: Digest) -> Iterator[CheckEvent]:
        layers, root = self._storage.layers, self._storage.root
        kept = self._needed.layers | self._needed.awaited
        if diff_id not in kept and diff_id in layers.unknown():
            discard = self._storage.disposal.add
            place = root.layer(diff_id)
            yield from self._garbage(place, _HOUR, lambda: discard([root.move_aside(place)]))
            return
        self._counts["layer"] += 1
        yield CheckProgress("layer", str(diff_id), self._done, self._total)
        for event in self._layers.run(diff_id):
            if isinstance(event, CheckProgress):
                current = self._done + event.current
                yield CheckProgress("layer", str(diff_id), current, self._total)
            else:
                yield event
        layer = layers.recorded(diff_id)
        self._done += layer.tar_size if layer else 0

    def _snapshots(self) -> Iterator[CheckEvent]:
        snapshots = self._storage.snapshots
        for key in self._needed.snapshots:
            self._counts["snapshot"] += 1
            try:
                mount = snapshots.mount(key)
            except (NotFoundError, OSError) as error:
                yield Finding("snapshot", key, f"cannot be mounted: {error}", Outcome.LOST)
                continue
            if isinstance(mount, OverlayMount):
                yield from self._overlay(key, mount)
            elif not os.path.isdir(mount.path):
                yield Finding("snapshot", key, "its files are missing", Outcome.LOST)
        present = snapshots.keys()
        for key in present:
            if key not in self._needed.snapshots:
                place = self._storage.root.snapshot(key)
                yield from self._garbage(place, _HOUR, partial(snapshots.remove, key))

    def _overlay(self, key: str, mount: OverlayMount) -> Generator[Finding, None, None]:
        for name in mount.lower:
            if not os.path.isdir(os.path.join(mount.cwd, name)):
                yield Finding("snapshot", key, f"its layer {name} is missing", Outcome.LOST)
        if not os.path.isdir(os.path.join(mount.cwd, mount.upper)):
            yield Finding("snapshot", key, "its files are missing", Outcome.LOST)
        work = os.path.join(mount.cwd, mount.work)
        if not os.path.isdir(work):
            if self._repair:
                os.mkdir(work, 0o700)
            yield self._settled("snapshot", key, "overlayfs' work directory is missing")

    def _left_over(self) -> Iterator[CheckEvent]:
        """Whatever began more than a day ago, nobody works at any more."""
        for path in self._left:
            yield from self._garbage(path, _DAY, partial(self._storage.disposal.add, [path]))

    def _garbage(self, path: str, age: int, remove: Callable[[], object]) -> Iterator[Finding]:
        try:
            found = os.lstat(path)
        except FileNotFoundError:
            return
        if self._began - max(found.st_ctime, found.st_mtime) < age:
            return
        if self._repair:
            remove()
        name = os.path.relpath(path, self._storage.root.path)
        yield self._settled("garbage", name, "nothing needs it")

    def _settled(self, kind: str, identity: str, problem: str) -> Finding:
        outcome = Outcome.REPAIRED if self._repair else Outcome.REPAIRABLE
        return Finding(kind, identity, problem, outcome)
