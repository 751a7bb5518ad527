"""The images there are and their names: records on disk, kept in memory, changed one at a time.

The config document is in the blob store, byte for byte; a record holds what is ours to know. A
*name* is a full reference with a tag or with a digest (under which the image was pulled or pushed).
A name leads to one image; what was pulled of the same index for other platforms is kept beside it
(``variants.py``). A change is on disk before it is seen in memory.
"""

import sqlite3
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import msgspec

from boxship.base.clock import parse_rfc3339
from boxship.base.errors import NotFoundError
from boxship.engine.images import variants
from boxship.engine.images.variants import Variant
from boxship.engine.records.database import Change, Database, Filled, rewritten
from boxship.engine.records.trash import Wrap
from boxship.oci import platform as platforms
from boxship.oci import reference
from boxship.oci.digest import Digest
from boxship.oci.image import Image, MalformedImageError, decode
from boxship.oci.platform import Platform
from boxship.oci.reference import Reference
from boxship.storage.blobs import BlobStore


class ImageRecord(msgspec.Struct, frozen=True):
    """What is remembered of an image. Times are nanoseconds, 0 never; ``size`` is unpacked."""

    id: str
    size: int
    layer_sizes: tuple[int, ...]
    """Lowest first; as long as the image's list of diff ids."""
    added_ns: int
    last_tagged_ns: int = 0
    last_used_ns: int = 0
    parent: str = ""
    """The image it was built or committed from here."""
    origin: str = ""
    """``load``, ``import``, ``built-in``…"""


@dataclass(frozen=True, slots=True)
class KnownImage:
    """An image with its parsed config."""

    record: ImageRecord
    id: Digest
    image: Image
    layers: tuple[Digest, ...]
    created_ns: int

    @property
    def labels(self) -> dict[str, str]:
        return (self.image.config and self.image.config.labels) or {}


class Catalog:
    """All images and names. Belongs to the event loop."""

    def __init__(self, database: Database, blobs: BlobStore) -> None:
        self._database = database
        database.remember(self._everything)
        self._images: dict[Digest, KnownImage] = {}
        self._names: dict[Reference, Digest] = {}
        self.unreadable: list[str] = []
        """Records whose config is missing or damaged; they are kept and not shown."""
        for identifier, body in database.load("SELECT id, body FROM images"):
            assert isinstance(body, bytes)
            self._restore(str(identifier), body, blobs)
        for name, identifier in database.load("SELECT name, image_id FROM tags"):
            if (known := self._images.get(Digest.parse(str(identifier)))) is not None:
                self._names[reference.parse_canonical(str(name))] = known.id
        self._variants: dict[Reference, tuple[Variant, ...]] = {}
        for row in database.load(variants.LOAD):
            restored, variant = variants.restored(row)
            if variant.image_id in self._images:
                self._variants[restored] = (*self._variants.get(restored, ()), variant)

    def _everything(self, filled: Filled) -> Change:
        rows = [(str(known.id), msgspec.json.encode(known.record)) for known in self]
        names = [(str(name), str(image_id)) for name, image_id in self._names.items()]
        kept = dict(self._variants)
        known = {name for name, _ in names}
        gone = [key for key in filled.get("tags", ()) if key[0] not in known]
        images, tags = rewritten("images", rows, []), rewritten("tags", names, gone)

        def change(db: sqlite3.Connection) -> None:
            images(db)
            tags(db)
            for name, those in kept.items():
                variants.write(db, name, those)

        return change

    def __iter__(self) -> Iterator[KnownImage]:
        return iter(tuple(self._images.values()))

    def __len__(self) -> int:
        return len(self._images)

    def find(self, image_id: Digest) -> KnownImage | None:
        """Return the image of this id."""
        return self._images.get(image_id)

    def named(self, name: Reference) -> KnownImage | None:
        """Return the image of this name; the digest counts if there is one, else the tag."""
        image_id = self._names.get(favour_digest(name))
        return None if image_id is None else self._images[image_id]

    def resolve(self, name: Reference, platform: Platform | None = None) -> KnownImage | None:
        """Return the image of this name for a platform: the asked-for, else the host's or latest.

        Without variants a name has one image, which is returned if it is for that platform.
        """
        known = self.named(name)
        if known is None or platform is None:
            return known
        kept = self._variants.get(favour_digest(name), ())
        variant = variants.preferred(kept, platform, platforms.host())
        if variant is not None:
            return self._images[variant.image_id]
        return known if platform.asks_for(known.image.platform) else None

    def variants_of(self, name: Reference) -> tuple[Variant, ...]:
        """Return what is kept for a name, per platform; empty if it was never pulled."""
        return self._variants.get(favour_digest(name), ())

    def variants(self, image_id: Digest | None = None) -> list[tuple[Reference, Variant]]:
        """Return all names and variants, or those that need one image, sorted by name."""
        return [
            (name, variant)
            for name in sorted(self._variants, key=str)
            for variant in self._variants[name]
            if image_id in (None, variant.image_id)
        ]

    def documents(self) -> set[Digest]:
        """Return the configs, manifests and indexes that must stay in the blob store."""
        needed = set(self._images) | {Digest.parse(text) for text in self.unreadable}
        for kept in self._variants.values():
            needed.update(*(variant.documents for variant in kept))
        return needed

    def names_of(self, image_id: Digest) -> list[Reference]:
        """Return the names of an image, sorted."""
        return sorted((name for name, target in self._names.items() if target == image_id), key=str)

    def names(self) -> dict[Digest, list[Reference]]:
        """Return all names by image, sorted."""
        result: dict[Digest, list[Reference]] = {}
        for name in sorted(self._names, key=str):
            result.setdefault(self._names[name], []).append(name)
        return result

    def in_repository(self, repository: Reference) -> list[tuple[Reference, KnownImage]]:
        """Return the tags of a repository, sorted."""
        return [
            (name, self._images[self._names[name]])
            for name in sorted(self._names, key=str)
            if name.name == repository.name and name.tag
        ]

    def with_prefix(self, prefix: str) -> list[KnownImage]:
        """Return the images whose id starts so, with or without the algorithm in front."""
        return [
            known
            for known in self._images.values()
            if known.id.hex.startswith(prefix) or str(known.id).startswith(prefix)
        ]

    def children(self, image_id: Digest) -> list[KnownImage]:
        """Return the images that were built from this one here."""
        return [known for known in self._images.values() if known.record.parent == str(image_id)]

    async def put(
        self,
        known: KnownImage,
        names: Iterable[Reference] = (),
        kept: Sequence[Variant] = (),
        also: Wrap = lambda change: change,
    ) -> None:
        """Add the image, or replace its record, and give it names, in one step.

        With ``kept`` variants, these join those of the same index under each name, and the name
        leads to the one that is preferred here. Without, the names have had variants. ``also``
        adds to what is committed.
        """
        names = list(names)
        for name in names:
            if name != favour_digest(name) or not (name.tag or name.digest):
                raise ValueError(f"{name} is not the name of one image")
        body = msgspec.json.encode(known.record)
        joined = {name: variants.joined(self._variants.get(name, ()), kept) for name in names}
        targets = {name: self._target(joined[name], known.id) for name in names}

        def change(db: sqlite3.Connection) -> None:
            db.execute("INSERT OR REPLACE INTO images VALUES(?, ?)", (str(known.id), body))
            rows = [(str(name), str(target)) for name, target in targets.items()]
            db.executemany("INSERT OR REPLACE INTO tags VALUES(?, ?)", rows)
            for name, those in joined.items():
                variants.write(db, name, those)

        await self._database.write(also(change))
        self._images[known.id] = known
        self._names.update(targets)
        self._variants.update(joined)
        for name in names:
            if not joined[name]:
                del self._variants[name]

    async def remove(
        self,
        names: Iterable[Reference],
        image_id: Digest | None = None,
        also: Wrap = lambda change: change,
    ) -> None:
        """Take names away and, with ``image_id``, the image (whose names must be among them).

        ``also`` adds to what is committed.
        """
        names = list(names)
        await self._database.write(also(_removal(names, image_id)))
        for name in names:
            self._names.pop(name, None)
            self._variants.pop(name, None)
        if image_id is not None:
            self._images.pop(image_id, None)

    async def withdraw(self, names: Iterable[Reference], gone: Collection[Variant]) -> None:
        """Take variants from names, which then lead to the preferred of the others.

        A name that would have none left stays as it is.
        """
        images = {variant.image_id for variant in gone}
        left = {
            name: those
            for name in names
            if (those := tuple(v for v in self.variants_of(name) if v.image_id not in images))
        }
        targets = {name: self._target(those, those[0].image_id) for name, those in left.items()}

        def change(db: sqlite3.Connection) -> None:
            rows = [(str(name), str(target)) for name, target in targets.items()]
            db.executemany("INSERT OR REPLACE INTO tags VALUES(?, ?)", rows)
            for name, those in left.items():
                variants.write(db, name, those)

        await self._database.write(change)
        self._names.update(targets)
        self._variants.update(left)

    @staticmethod
    def _target(kept: Sequence[Variant], image_id: Digest) -> Digest:
        preferred = variants.preferred(kept, None, platforms.host())
        return preferred.image_id if preferred else image_id

    def record_use(self, image_id: Digest, at_ns: int) -> None:
        """Note when an image was used; it is written behind what is queued, and nobody waits."""
        known = self._images.get(image_id)
        if known is None:
            return
        record = msgspec.structs.replace(known.record, last_used_ns=at_ns)
        self._images[image_id] = replace(known, record=record)
        body = msgspec.json.encode(record)

        def change(db: sqlite3.Connection) -> None:
            db.execute("UPDATE images SET body = ? WHERE id = ?", (body, str(image_id)))

        written = self._database.submit(change, durable=False)
        written.add_done_callback(lambda done: done.cancelled() or done.exception())

    def _restore(self, identifier: str, body: bytes, blobs: BlobStore) -> None:
        record = msgspec.json.decode(body, type=ImageRecord)
        try:
            known = understand(record, blobs.read(Digest.parse(identifier)))
        except (NotFoundError, MalformedImageError):
            self.unreadable.append(identifier)
        else:
            self._images[known.id] = known


def understand(record: ImageRecord, config: bytes) -> KnownImage:
    """Put a record and its config document together. Raise MalformedImageError."""
    image = decode(config, Image)
    return KnownImage(
        record, Digest.parse(record.id), image, image.diff_ids, created_ns(image.created)
    )


def created_ns(text: str | None) -> int:
    """Read a config's time; 0 if there is none that can be read."""
    try:
        return parse_rfc3339(text) if text else 0
    except ValueError:
        return 0


def favour_digest(name: Reference) -> Reference:
    """Reduce a reference to the part that decides: the digest, or the tag (``latest``)."""
    return name.with_digest(name.digest) if name.digest else name.with_default_tag()


def _removal(names: list[Reference], image_id: Digest | None) -> Change:
    def change(db: sqlite3.Connection) -> None:
        db.executemany("DELETE FROM tags WHERE name = ?", [(str(name),) for name in names])
        db.executemany("DELETE FROM variants WHERE name = ?", [(str(name),) for name in names])
        if image_id is not None:
            db.execute("DELETE FROM images WHERE id = ?", (str(image_id),))

    return change
