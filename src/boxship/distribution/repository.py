"""One repository of one registry: manifests, blobs, tags."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from boxship.base.errors import NotImplementedYetError
from boxship.distribution.cancel import Cancel
from boxship.oci.digest import Digest
from boxship.oci.image import Descriptor
from boxship.oci.reference import Reference

Buffer = bytes | bytearray | memoryview


@dataclass(frozen=True, slots=True)
class FetchedManifest:
    """A manifest or index as the registry keeps it; ``digest`` is that of ``data``, verified."""

    media_type: str
    digest: Digest
    data: bytes


@dataclass(frozen=True, slots=True)
class Retry:
    """An attempt failed and another follows after ``delay`` seconds. ``attempt`` counts from 1."""

    attempt: int
    delay: float
    error: Exception


OnRetry = Callable[[Retry], None]


class Repository:
    """Blocking; any number of threads may use one. Raises the errors of ``errors.py``."""

    def __init__(self, name: Reference) -> None:
        self.name = name

    def resolve(self, target: str | Digest, cancel: Cancel | None = None) -> Descriptor:
        """Ask for a tag's or digest's media type, digest and size, without its content."""
        raise NotImplementedYetError

    def manifest(self, target: str | Digest, cancel: Cancel | None = None) -> FetchedManifest:
        """Fetch a manifest or index; its digest is verified."""
        raise NotImplementedYetError

    def blob(
        self, descriptor: Descriptor, cancel: Cancel, on_retry: OnRetry | None = None
    ) -> Iterator[Buffer]:
        """Yield a blob in pieces of about 1 MiB; digest and length are verified before the end.

        A broken connection is resumed where it broke, a mirror that fails is replaced by the next
        endpoint. Raise what remains after the last attempt.
        """
        raise NotImplementedYetError

    def has_blob(self, digest: Digest, cancel: Cancel | None = None) -> int | None:
        """Return the blob's size, ``None`` if the repository hasn't got it."""
        raise NotImplementedYetError

    def mount(self, digest: Digest, source: str, cancel: Cancel | None = None) -> bool:
        """Take a blob over from ``source``, the path of another repository of this registry.

        False if the registry didn't; nothing is left behind then.
        """
        raise NotImplementedYetError

    def upload(
        self,
        chunks: Iterable[Buffer],
        cancel: Cancel,
        *,
        digest: Digest | None = None,
        size: int | None = None,
    ) -> Digest:
        """Upload a blob and return its digest.

        In one request if digest and size are known beforehand, else in chunks; the digest is then
        computed on the way.
        """
        raise NotImplementedYetError

    def put_manifest(
        self, target: str | Digest, media_type: str, data: bytes, cancel: Cancel | None = None
    ) -> Digest:
        """Store a manifest or index under a tag or its digest; return its digest."""
        raise NotImplementedYetError

    def tags(self, cancel: Cancel | None = None) -> Iterator[str]:
        """Yield all tags, page by page."""
        raise NotImplementedYetError
