"""Layers: kept once each, by diff id, unpacked, and able to give back their tar exactly.

A layer is unpacked below ``tmp`` and becomes part of the store by one rename, so it is there whole
or not at all. Two that unpack the same layer at once: with the diff id known beforehand the second
waits a moment for the first and takes its layer; otherwise both unpack, and the second finds the
place taken and throws its own away.

Nothing refers to a layer between its commit and the commit of the image that needs it. A *lease*
covers that gap: what was added or looked up under a lease stays until the lease ends.
"""

import contextlib
import errno
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import msgspec

from boxship.base.errors import InvalidArgumentError, NotFoundError
from boxship.base.files import write_atomic
from boxship.kernel.filesystems import exchange
from boxship.oci.digest import Digest
from boxship.storage.chunks import Buffer, ChunkReader, TruncatedError, coalesced
from boxship.storage.compression import Compression, CompressionError, decompressed, detect
from boxship.storage.disposal import Disposal
from boxship.storage.recipe import DamagedLayerError, RecipeWriter, rebuild, write_shadows
from boxship.storage.rights import Rights
from boxship.storage.root import StorageRoot
from boxship.storage.stages import HashingStage, in_background
from boxship.storage.tar.header import TarError
from boxship.storage.tar.reader import TarReader
from boxship.storage.tree import UnsafePathError
from boxship.storage.unpack import Unpacked, Unpacker
from boxship.storage.writeback import WriteBack

_SHORT = 12
_PATIENCE = 1.0
_META = "meta.json"
_DAMAGED = "damaged"
_FAULTS_OF_ARCHIVES = frozenset(
    # A parent that is a file or a dangling link, a hard link to nothing, a name too long, an
    # attribute that nothing understands, a hole beyond the largest file: no disk and no
    # administrator could do better. Everything else is the machine's trouble.
    {
        *(errno.ENOENT, errno.ENOTDIR, errno.EEXIST, errno.EISDIR, errno.ELOOP),
        *(errno.ENAMETOOLONG, errno.EINVAL, errno.ERANGE, errno.E2BIG, errno.EFBIG),
    }
)


class Layer(msgspec.Struct, frozen=True):
    """A layer in the store (``meta.json``). ``size`` is unpacked, as Docker counts; bytes."""

    diff_id: str
    size: int
    tar_size: int
    entries: int
    short: str
    """The name of its link in ``l/``."""

    @property
    def digest(self) -> Digest:
        return Digest.parse(self.diff_id)


class MalformedLayerError(InvalidArgumentError):
    """The archive of a layer is broken, or not the one that was announced."""


@dataclass
class Lease:
    """Layers that must not go for now. Get one from ``LayerStore.lease``."""

    _held: set[Digest] = field(default_factory=set)
    _hold: Callable[[Digest], None] = lambda _: None

    def hold(self, diff_id: Digest) -> None:
        """Keep this layer, present or to come, while the lease lasts."""
        if diff_id not in self._held:
            self._hold(diff_id)
            self._held.add(diff_id)

    def held(self) -> set[Digest]:
        """Return what this lease keeps."""
        return set(self._held)


class LayerStore:
    """All layers of one data root. Safe from any thread."""

    def __init__(
        self, root: StorageRoot, disposal: Disposal, writeback: WriteBack, rights: Rights
    ) -> None:
        self._root = root
        self._rights = rights
        self._writeback = writeback
        self._disposal = disposal
        self._lock = threading.RLock()
        self._leased: Counter[Digest] = Counter()
        self._in_work: dict[Digest, threading.Event] = {}
        self._known: dict[Digest, Layer] = {}
        self._damaged: set[Digest] = set()
        for name in os.listdir(root.join("layers", "sha256")):
            layer = self._read(Digest("sha256", name))
            if layer is not None:
                self._known[layer.digest] = layer
                if os.path.exists(os.path.join(root.layer(layer.digest), _DAMAGED)):
                    self._damaged.add(layer.digest)

    @contextlib.contextmanager
    def lease(self) -> Iterator[Lease]:
        """Protect layers from removal for the length of a ``with``."""
        lease = Lease(_hold=self._hold)
        try:
            yield lease
        finally:
            with self._lock:
                self._leased.subtract(lease.held())
                self._leased = +self._leased

    def is_leased(self, diff_id: Digest) -> bool:
        """Tell whether somebody works with this layer, present or to come."""
        with self._lock:
            return self._leased[diff_id] > 0

    def find(self, diff_id: Digest) -> Layer | None:
        """Return the layer if it is here, and whole as far as is known."""
        return None if diff_id in self._damaged else self._known.get(diff_id)

    def look(self, diff_id: Digest) -> Layer | None:
        """Return the layer if it is here, whole or not."""
        return self._known.get(diff_id)

    def get(self, diff_id: Digest) -> Layer:
        """Return the layer. Raise NotFoundError."""
        layer = self._known.get(diff_id)
        if layer is None:
            raise NotFoundError(f"no layer {diff_id}")
        return layer

    def all(self) -> list[Layer]:
        """Return every layer, in no order."""
        return list(self._known.values())

    def unknown(self) -> list[Digest]:
        """Return what lies where layers are and is none, at least for lack of a record."""
        names = os.listdir(self._root.join("layers", "sha256"))
        return [found for found in (Digest("sha256", n) for n in names) if found not in self._known]

    def recorded(self, diff_id: Digest) -> Layer | None:
        """Return what the layer's record on the disk says by now; None if it cannot be read."""
        return self._read(diff_id)

    def is_linked(self, layer: Layer) -> bool:
        """Tell whether the layer's short name leads to it."""
        try:
            return os.readlink(self._root.link(layer.short)) == _target(layer.digest)
        except OSError:
            return False

    def record(self, diff_id: Digest, size: int, tar_size: int, entries: int) -> Layer:
        """Write the record of a layer anew, and its short name if that is missing."""
        with self._lock:
            short = self._link(diff_id)
            layer = Layer(str(diff_id), size, tar_size, entries, short)
            write_atomic(self._meta(diff_id), msgspec.json.encode(layer))
            self._known[diff_id] = layer
        return layer

    def mark(self, diff_id: Digest, *, damaged: bool) -> None:
        """Remember whether a layer has lost something.

        One that has stays for whoever uses it; but ``find`` does not, and ``unpack`` puts a whole
        one in its place.
        """
        path = os.path.join(self._root.layer(diff_id), _DAMAGED)
        if damaged == (diff_id in self._damaged):
            return
        with self._lock, contextlib.suppress(FileNotFoundError):
            if damaged:
                os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
                self._damaged.add(diff_id)
            else:
                self._damaged.discard(diff_id)
                os.unlink(path)

    def diff_directory(self, diff_id: Digest) -> str:
        """Return where the layer's tree is."""
        return os.path.join(self._root.layer(diff_id), "diff")

    def names(self, layers: Sequence[Digest]) -> tuple[str, ...]:
        """Return the names below the root of a stack (lowest first), topmost first, each once.

        Images do have a layer twice, and overlayfs refuses that (ELOOP). The lower one can go: what
        it decides about, the upper one decides, too, and alike.
        """
        once = dict.fromkeys(reversed(layers))
        return tuple(f"l/{self.get(layer).short}" for layer in once)

    def unpack(
        self, chunks: Iterable[Buffer], lease: Lease, *, expected: Digest | None = None
    ) -> Layer:
        """Add the layer whose tar (plain or compressed) ``chunks`` are, read to the end.

        With ``expected``, the diff id, a layer that is here already is not unpacked again, and
        ``chunks`` may stay unread. Raise MalformedLayerError, or OSError (disk full).
        """
        if expected is None:
            return self._unpack(chunks, lease, None)
        lease.hold(expected)
        with self._turn(expected):
            return self.find(expected) or self._unpack(chunks, lease, expected)

    def tar(self, diff_id: Digest) -> Generator[Buffer, None, None]:
        """Yield the layer's tar in chunks. Raise DamagedLayerError at the latest at its end."""
        layer = self.get(diff_id)
        with HashingStage(coalesced(rebuild(self._root.layer(diff_id)))) as stage:
            yield from stage
            if stage.digest() != layer.digest:
                raise DamagedLayerError(f"layer {diff_id} no longer gives its tar")

    def remove(self, candidates: Iterable[Digest], needed: Collection[Digest]) -> int:
        """Take those of ``candidates`` out of the store that are neither needed nor leased.

        Short, so that the one who knows what is needed can call it without giving anybody else a
        chance to need more. Returns how many went; one that the disk does not let go stays until
        the next start.
        """
        parts = []
        with self._lock:
            for digest in dict.fromkeys(candidates):
                if digest in self._known and digest not in needed and not self._leased[digest]:
                    with contextlib.suppress(OSError):
                        parts.append(self._part(self._known[digest]))
                        del self._known[digest]
                        self._damaged.discard(digest)
            self._disposal.add(parts)
        return len(parts)

    def recover(self, needed: Collection[Digest]) -> None:
        """At start-up, alone: remove layers nobody needs and what a crash left of others."""
        for name in os.listdir(self._root.join("layers", "sha256")):
            # One that is needed can be repaired: a record is made anew (``check/``).
            if Digest("sha256", name) not in self._known and Digest("sha256", name) not in needed:
                broken = self._root.join("layers", "sha256", name)
                self._disposal.add([self._root.move_aside(broken)])
        self.remove(list(self._known), needed)
        self.stray_links(remove=True)

    def stray_links(self, *, remove: bool) -> list[str]:
        """Return the short names that are no layer's."""
        with self._lock:
            right = {layer.short for layer in self._known.values()}
            stray = [name for name in os.listdir(self._root.join("l")) if name not in right]
            for name in stray if remove else ():
                os.unlink(self._root.link(name))
        return stray

    def _hold(self, diff_id: Digest) -> None:
        with self._lock:
            self._leased[diff_id] += 1

    @contextlib.contextmanager
    def _turn(self, diff_id: Digest) -> Iterator[None]:
        """Let one thread at a time work on a layer, unless it takes long.

        What the one reads may come from a client that has stalled, on whom no other may depend.
        """
        deadline = time.monotonic() + _PATIENCE
        while True:
            with self._lock:
                other = self._in_work.get(diff_id)
                if other is None:
                    done = self._in_work[diff_id] = threading.Event()
                    break
            if not other.wait(max(0.0, deadline - time.monotonic())):
                yield
                return
        try:
            yield
        finally:
            with self._lock:
                del self._in_work[diff_id]
            done.set()

    def _unpack(self, chunks: Iterable[Buffer], lease: Lease, expected: Digest | None) -> Layer:
        with self._root.temporary() as place:
            try:
                with plain(chunks) as tar, HashingStage(tar) as stage:
                    unpacked = _unpack_into(place, stage, self._rights)
            except (TarError, UnsafePathError, CompressionError, TruncatedError) as error:
                raise MalformedLayerError(f"invalid layer archive: {error}") from error
            except OSError as error:
                if error.errno not in _FAULTS_OF_ARCHIVES:
                    raise
                raise MalformedLayerError(f"invalid layer archive: {error.strerror}") from error
            diff_id = stage.digest()
            if expected not in (None, diff_id):
                raise MalformedLayerError(f"layer is {diff_id}, and {expected} was announced")
            lease.hold(diff_id)
            return self.commit(place, diff_id, stage.size, unpacked)

    def commit(self, place: str, diff_id: Digest, tar_size: int, unpacked: Unpacked) -> Layer:
        """Make a layer of the directory ``place``, which has all that one is made of.

        If it is here already, ``place`` stays as it is.
        """
        with self._lock:
            present = self.find(diff_id)
            if present is not None:
                return present
            short = self._link(diff_id)
            layer = Layer(str(diff_id), unpacked.size, tar_size, unpacked.entries, short)
            try:
                self._put(place, layer)
            except OSError:
                if not os.path.lexists(self._root.layer(diff_id)):
                    os.unlink(self._root.link(short))
                raise
            self._known[diff_id] = layer
            self._damaged.discard(diff_id)
        self._writeback.begin()
        return layer

    def _put(self, place: str, layer: Layer) -> None:
        meta = msgspec.json.encode(layer)
        write_atomic(os.path.join(place, _META), meta, durable=False)
        target = self._root.layer(layer.digest)
        if os.path.lexists(target):
            exchange(place, target)
            # Containers may be running on the damaged one: it goes at a start when none is.
            self._root.move_aside(place, used=True)
        else:
            os.rename(place, target)

    def _link(self, diff_id: Digest) -> str:
        """Give the layer a short name; a name taken by another layer is made longer."""
        target = _target(diff_id)
        for length in range(_SHORT, len(diff_id.hex) + 1, 4):
            short = diff_id.hex[:length]
            with contextlib.suppress(FileExistsError):
                os.symlink(target, self._root.link(short))
                return short
            if os.readlink(self._root.link(short)) == target:
                return short
        raise AssertionError("a full digest is taken by another layer")

    def _part(self, layer: Layer) -> str:
        """Take a layer out of the store in one step; return where its remains are."""
        doomed = self._root.move_aside(self._root.layer(layer.digest))
        with contextlib.suppress(OSError):
            os.unlink(self._root.link(layer.short))
        return doomed

    def _meta(self, diff_id: Digest) -> str:
        return os.path.join(self._root.layer(diff_id), _META)

    def _read(self, diff_id: Digest) -> Layer | None:
        try:
            with open(self._meta(diff_id), "rb") as stream:
                return msgspec.json.decode(stream.read(), type=Layer)
        except (OSError, msgspec.DecodeError):
            return None


def _target(diff_id: Digest) -> str:
    return f"../layers/{diff_id.algorithm}/{diff_id.hex}/diff"


@contextlib.contextmanager
def plain(chunks: Iterable[Buffer]) -> Iterator[Iterator[Buffer]]:
    """Give the decompressed stream; decompression, if needed, runs in a thread of its own."""
    source = ChunkReader(chunks)
    if detect(source.peek(6)) is Compression.NONE:
        yield source.rest()
        return
    with in_background(decompressed(source)) as stream:
        yield stream


def _unpack_into(place: str, stage: HashingStage, rights: Rights) -> Unpacked:
    os.mkdir(os.path.join(place, "diff"), 0o755)
    with open(os.path.join(place, "recipe.zst"), "wb", buffering=0) as target:
        recipe = RecipeWriter(target)
        unpacked = Unpacker(place, recipe, rights).run(TarReader(ChunkReader(stage)))
        recipe.finish()
    if unpacked.shadows:
        write_shadows(os.path.join(place, "shadow.index"), unpacked.shadows)
    return unpacked
