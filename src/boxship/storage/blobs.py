"""Content-addressed blobs: small documents whose bytes are their identity."""

import contextlib
import os

from boxship.base.errors import NotFoundError
from boxship.base.files import write_atomic
from boxship.oci.digest import Digest
from boxship.storage.root import StorageRoot


class BlobStore:
    """Blobs below ``blobs/sha256``. Adding twice is adding once; safe from any thread."""

    def __init__(self, root: StorageRoot) -> None:
        self._root = root

    def add(self, data: bytes) -> Digest:
        """Store ``data`` durably and return its digest."""
        digest = Digest.of(data)
        path = self._root.blob(digest)
        if not os.path.exists(path):
            write_atomic(path, data)
        return digest

    def read(self, digest: Digest) -> bytes:
        """Return the bytes. Raise NotFoundError, also if they are no longer what they were."""
        try:
            with open(self._root.blob(digest), "rb") as stream:
                data = stream.read()
        except FileNotFoundError as error:
            raise NotFoundError(f"no blob {digest}") from error
        if Digest.of(data) != digest:
            raise NotFoundError(f"blob {digest} is damaged")
        return data

    def remove(self, digest: Digest) -> None:
        """Forget a blob; one that is not there is fine."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._root.blob(digest))

    def all(self) -> list[Digest]:
        """Return the digests of all blobs."""
        names = os.listdir(self._root.join("blobs", "sha256"))
        return [Digest("sha256", name) for name in names if len(name) == 64]

    def remove_partial(self) -> None:
        """At start-up: remove what a crash left of a write."""
        for name in os.listdir(self._root.join("blobs", "sha256")):
            if ".tmp-" in name:
                os.unlink(self._root.join("blobs", "sha256", name))
