"""One repository of one registry: manifests, blobs, tags."""

from collections.abc import Iterable, Iterator
from urllib.parse import urlencode

from boxship.distribution import manifests, pages
from boxship.distribution.answers import number
from boxship.distribution.attempts import OnRetry
from boxship.distribution.cancel import Cancel
from boxship.distribution.capabilities import Capability
from boxship.distribution.downloads import Download
from boxship.distribution.errors import RegistryNotFoundError
from boxship.distribution.manifests import FetchedManifest
from boxship.distribution.session import Ask, Session
from boxship.distribution.settings import Retries
from boxship.distribution.sources import Sources
from boxship.distribution.transport import Buffer
from boxship.distribution.uploads import Upload
from boxship.distribution.urls import joined
from boxship.oci.digest import Digest
from boxship.oci.image import Descriptor
from boxship.oci.reference import Reference


class Repository:
    """Blocking; any number of threads may use one. Raises the errors of ``errors.py``."""

    def __init__(self, name: Reference, sources: Sources, retries: Retries) -> None:
        self.name = name
        self._sources = sources
        self._retries = retries
        self._pull = frozenset({f"repository:{name.path}:pull"})
        self._push = frozenset({f"repository:{name.path}:pull,push"})

    def resolve(self, target: str | Digest, cancel: Cancel | None = None) -> Descriptor:
        """Ask for a tag's or digest's media type, digest and size, without its content."""

        def at(session: Session) -> Descriptor:
            ask = manifests.ask("HEAD", self.name.path, target, self._pull)
            with session.ask_again(ask, self._retries_at(session), cancel) as reply:
                found = manifests.described(reply, target)
            return found or manifests.descriptor(self._manifest_at(session, target, cancel))

        return self._sources.first(_reading(target), at)

    def manifest(self, target: str | Digest, cancel: Cancel | None = None) -> FetchedManifest:
        """Fetch a manifest or index; its digest is verified."""
        return self._sources.first(
            _reading(target), lambda session: self._manifest_at(session, target, cancel)
        )

    def blob(
        self, descriptor: Descriptor, cancel: Cancel, on_retry: OnRetry | None = None
    ) -> Iterator[Buffer]:
        """Yield a blob in pieces of about 1 MiB; digest and length are verified before the end.

        A broken connection is resumed where it broke, a mirror that fails is replaced by the next
        endpoint. Raise what remains after the last attempt; an endpoint whose bytes were wrong is
        not asked by this object again, so that a repetition goes elsewhere if there is elsewhere.
        """
        url = f"{self.name.path}/blobs/{descriptor.digest}"
        download = Download(self._sources, Ask("GET", url, self._pull), descriptor, self._retries)
        return download.chunks(cancel, on_retry)

    def has_blob(self, digest: Digest, cancel: Cancel | None = None) -> int | None:
        """Return the blob's size, 0 if that isn't told, ``None`` if it isn't there at all."""
        url = f"{self.name.path}/blobs/{digest}"

        def at(session: Session) -> int:
            ask = Ask("HEAD", url, self._pull)
            with session.ask_again(ask, self._retries_at(session), cancel) as reply:
                return number(reply.headers.get("Content-Length", "")) or 0

        try:
            return self._sources.first(Capability.PUSH, at)
        except RegistryNotFoundError:
            return None

    def mount(self, digest: Digest, source: str, cancel: Cancel | None = None) -> bool:
        """Take a blob over from ``source``, the path of another repository of this registry.

        False if the registry didn't; nothing is left behind then.
        """
        scopes = self._push | {f"repository:{source}:pull"}
        query = urlencode({"mount": str(digest), "from": source})
        ask = Ask("POST", f"{self.name.path}/blobs/uploads/?{query}", scopes, (201, 202))

        def at(session: Session) -> bool:
            with session.ask_again(ask, self._retries_at(session), cancel) as reply:
                if reply.status == 201:
                    return True
                given = reply.headers.get("Location", "")
                location = joined(reply.url, given) if given else ""
            Upload(session, self.name.path, self._push, self._retries, cancel).abandon(location)
            return False

        return self._sources.first(Capability.PUSH, at)

    def upload(
        self,
        chunks: Iterable[Buffer],
        cancel: Cancel,
        *,
        digest: Digest | None = None,
        size: int | None = None,
    ) -> Digest:
        """Upload a blob and return its digest.

        In one request if digest and size are known beforehand, else as a stream whose digest is
        computed on the way. What ``chunks`` raises comes out as it is. After a failure nothing is
        left at the registry, and ``chunks`` are spent: whoever has them again may try again.
        """

        def at(session: Session) -> Digest:
            upload = Upload(session, self.name.path, self._push, self._retries, cancel)
            if digest is not None and size is not None:
                return upload.whole(chunks, digest, size)
            return upload.streamed(chunks, digest)

        return at(self._sources.settled(Capability.PUSH, self._push, cancel))

    def put_manifest(
        self, target: str | Digest, media_type: str, data: bytes, cancel: Cancel | None = None
    ) -> Digest:
        """Store a manifest or index under a tag or its digest; return its digest."""
        ask = manifests.storing(self.name.path, target, media_type, data, self._push)

        def at(session: Session) -> Digest:
            with session.ask_again(ask, self._retries_at(session), cancel) as reply:
                return manifests.stored(reply, data)

        return self._sources.first(Capability.PUSH, at)

    def tags(self, cancel: Cancel | None = None) -> Iterator[str]:
        """Yield all tags, page by page."""

        def at(session: Session) -> pages.TagPages:
            found = pages.TagPages(
                session, self.name.path, self._pull, self._retries_at(session), cancel
            )
            found.advance()
            return found

        yield from self._sources.first(Capability.RESOLVE, at).tags()

    def _manifest_at(
        self, session: Session, target: str | Digest, cancel: Cancel | None
    ) -> FetchedManifest:
        ask = manifests.ask("GET", self.name.path, target, self._pull)
        with session.ask_again(ask, self._retries_at(session), cancel) as reply:
            return manifests.fetched(reply, target)

    def _retries_at(self, session: Session) -> Retries:
        return self._sources.retries_at(session, self._retries)


def _reading(target: str | Digest) -> Capability:
    return Capability.PULL if isinstance(target, Digest) else Capability.RESOLVE
