"""A registry in memory as a push meets it: repositories, blobs, mounts, and trouble on order."""

import threading
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from boxship.distribution.cancel import Cancel
from boxship.distribution.credentials import Credentials
from boxship.oci.digest import Digest
from boxship.oci.reference import Reference
from boxship.storage.chunks import Buffer


@dataclass(frozen=True)
class PutManifest:
    media_type: str
    data: bytes

    @property
    def digest(self) -> Digest:
        return Digest.of(self.data)


@dataclass
class FakeRepository:
    """What a repository holds; `uploading` is called with each upload's chunks."""

    registry: "FakeRegistry"
    name: Reference
    blobs: dict[Digest, bytes] = field(default_factory=dict)
    manifests: dict[str, PutManifest] = field(default_factory=dict)

    def has_blob(self, digest: Digest, cancel: Cancel | None = None) -> int | None:
        self.registry.note("head")
        blob = self.blobs.get(digest)
        told = self.registry.telling
        return None if blob is None else len(blob) if told is None else told

    def mount(self, digest: Digest, source: str, cancel: Cancel | None = None) -> bool:
        self.registry.note("mount")
        if self.registry.mounting is not None:
            raise self.registry.mounting
        other = self.registry.repositories.get(f"{self.name.domain}/{source}")
        blob = other.blobs.get(digest) if other else None
        if blob is not None:
            self.blobs[digest] = blob
        return blob is not None

    def upload(
        self,
        chunks: Iterable[Buffer],
        cancel: Cancel,
        *,
        digest: Digest | None = None,
        size: int | None = None,
    ) -> Digest:
        self.registry.note("upload" if digest is None else "upload of known digest")
        data = b"".join(bytes(chunk) for chunk in self.registry.uploading(chunks, cancel))
        found = Digest.of(data)
        assert digest in (None, found) and size in (None, len(data))
        self.blobs[found] = data
        return found

    def put_manifest(
        self, target: str | Digest, media_type: str, data: bytes, cancel: Cancel | None = None
    ) -> Digest:
        self.manifests[str(target)] = PutManifest(media_type, data)
        return Digest.of(data)


def untroubled(chunks: Iterable[Buffer], cancel: Cancel) -> Iterable[Buffer]:
    return chunks


class FakeRegistry:
    """All repositories of all hosts. `counts` says what was asked for how often."""

    def __init__(self) -> None:
        self.repositories: dict[str, FakeRepository] = {}
        self.counts: Counter[str] = Counter()
        self.uploading: Callable[[Iterable[Buffer], Cancel], Iterable[Buffer]] = untroubled
        self.mounting: Exception | None = None
        self.telling: int | None = None
        """The size of every blob, by HEAD."""
        self._lock = threading.Lock()

    def note(self, what: str) -> None:
        with self._lock:
            self.counts[what] += 1

    def repository(self, name: Reference, credentials: Credentials | None = None) -> FakeRepository:
        fresh = FakeRepository(self, name)
        return self.repositories.setdefault(name.name, fresh)
