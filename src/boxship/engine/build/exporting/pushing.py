"""A bundle into a repository: blobs that are not there yet, manifests, and at last its names."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from boxship.distribution.cancel import Cancel
from boxship.distribution.repository import Repository
from boxship.engine.build.exporting.bundle import Bundle
from boxship.storage.layers import LayerStore


@dataclass(frozen=True, slots=True)
class Push:
    """One push. ``run`` blocks; ``cancel`` ends it from any thread."""

    bundle: Bundle
    repository: Repository
    layers: LayerStore
    cancel: Cancel = field(default_factory=Cancel)

    def run(self, tags: Sequence[str]) -> None:
        """Push; without tags by digest alone. Errors are those of ``distribution.errors``."""
        top, repository, cancel = self.bundle.top, self.repository, self.cancel
        documents = {each.digest: each for each in (*self.bundle.manifests, *self.bundle.others)}
        for digest, content in self.bundle.blobs.items():
            if digest in documents or digest == top.digest:
                continue
            if repository.has_blob(digest, cancel) is None:
                if isinstance(content, bytes):
                    repository.upload((content,), cancel, digest=digest, size=len(content))
                else:
                    chunks = content.chunks(self.layers)
                    repository.upload(chunks, cancel, digest=digest, size=content.size)
        for document in documents.values():
            if document.digest != top.digest:
                place = document.digest
                repository.put_manifest(place, document.media_type, document.data, cancel)
        for target in tags or (top.digest,):
            repository.put_manifest(target, top.media_type, top.data, cancel)
