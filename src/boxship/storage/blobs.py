"""Content-addressed blobs, whose bytes are their identity: small documents, and kept layers.

Documents are read whole. Compressed layers, which are kept only on request, may have any size: they
are written and read as streams. A blob being written lies in ``tmp`` and appears by a rename.
"""

import contextlib
import os
from collections.abc import Generator, Iterable, Iterator

from boxship.base.errors import NotFoundError
from boxship.base.files import write_atomic
from boxship.oci.digest import Digest, new_hasher
from boxship.storage.chunks import CHUNK, Buffer
from boxship.storage.root import StorageRoot


class Incoming:
    """A blob while it is written; it is gone with its ``with`` unless :meth:`keep` was called."""

    def __init__(self, root: StorageRoot, directory: str) -> None:
        self._root = root
        self._path = os.path.join(directory, "blob")
        self._fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)

    def write(self, chunk: Buffer) -> None:
        """Append. Raise OSError (disk full)."""
        view = memoryview(chunk)
        while view:
            view = view[os.write(self._fd, view) :]

    def keep(self, digest: Digest) -> None:
        """Make it the blob ``digest``, which the caller has verified.

        It is not brought to the disk here: ``WriteBack.finish`` does that for all that an image
        needs, and one that a power loss spoilt is found out when it is verified.
        """
        os.rename(self._path, self._root.blob(digest))

    def close(self) -> None:
        os.close(self._fd)


class BlobStore:
    """Blobs below ``blobs/sha256``. Adding twice is adding once; safe from any thread."""

    def __init__(self, root: StorageRoot) -> None:
        self._root = root

    def add(self, data: bytes) -> Digest:
        """Store ``data`` durably and return its digest."""
        digest = Digest.of(data)
        path = self._root.blob(digest)
        with contextlib.suppress(FileNotFoundError):
            if self.verify(digest):
                os.utime(path)  # from now on it is no old garbage any more
                return digest
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

    @contextlib.contextmanager
    def incoming(self) -> Iterator[Incoming]:
        """Write a blob of any size."""
        with self._root.temporary() as directory:
            writing = Incoming(self._root, directory)
            with contextlib.closing(writing):
                yield writing

    def kept(self, chunks: Iterable[Buffer], digest: Digest) -> Generator[Buffer, None, None]:
        """Pass chunks through and keep them as the blob ``digest``.

        ``chunks`` must verify the digest itself and raise before its end: then nothing is kept.
        """
        with self.incoming() as writing:
            for chunk in chunks:
                writing.write(chunk)
                yield chunk
            writing.keep(digest)

    def has(self, digest: Digest) -> bool:
        """Tell whether a blob is here; nothing is read of it."""
        return os.path.exists(self._root.blob(digest))

    def size(self, digest: Digest) -> int:
        """Return how many bytes a blob has. Raise NotFoundError."""
        try:
            return os.stat(self._root.blob(digest)).st_size
        except FileNotFoundError as error:
            raise NotFoundError(f"no blob {digest}") from error

    def chunks(self, digest: Digest) -> Iterator[bytes]:
        """Yield a blob's bytes, unverified. Raise NotFoundError."""
        try:
            stream = open(self._root.blob(digest), "rb", buffering=0)  # noqa: SIM115
        except FileNotFoundError as error:
            raise NotFoundError(f"no blob {digest}") from error
        with stream:
            while chunk := stream.read(CHUNK):
                yield chunk

    def verify(self, digest: Digest) -> bool:
        """Tell whether a blob is there and still what it was."""
        hasher = new_hasher(digest.algorithm)
        try:
            for chunk in self.chunks(digest):
                hasher.update(chunk)
        except (NotFoundError, OSError):
            return False
        return hasher.hexdigest() == digest.hex

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
