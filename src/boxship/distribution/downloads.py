"""A blob from a registry, whole or not at all: resumed, from another endpoint if need be.

::

    GET  [Range: bytes=<offset>-]
    200  the whole blob: what we have already is skipped     206  the rest
    length or digest wrong, 4xx ──► next endpoint            broken off, 5xx, 429 ──► again

Bytes that were given to the caller can't be taken back: if the digest is wrong at the end, the
endpoint is distrusted and the error raised.
"""

import re
from collections.abc import Iterator

from boxship.distribution.answers import number
from boxship.distribution.attempts import Attempts, OnRetry
from boxship.distribution.cancel import Cancel
from boxship.distribution.capabilities import Capability
from boxship.distribution.errors import (
    BadRegistryAnswerError,
    RegistryError,
    RegistryUnavailableError,
    TransferCancelledError,
)
from boxship.distribution.session import Ask, Session
from boxship.distribution.settings import Retries
from boxship.distribution.sources import Sources, more_telling
from boxship.distribution.transport import Buffer, Reply
from boxship.oci.digest import Digest, DigestError, new_hasher
from boxship.oci.image import Descriptor

_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")


class Download:
    """One blob on its way."""

    def __init__(
        self, sources: Sources, ask: Ask, descriptor: Descriptor, retries: Retries
    ) -> None:
        try:
            self._digest = Digest.parse(descriptor.digest)
        except DigestError as error:
            raise BadRegistryAnswerError(f"blob {descriptor.digest}: {error}") from error
        self._sources = sources
        self._ask = ask
        self._size = descriptor.size
        self._retries = retries
        self._hasher = new_hasher(self._digest.algorithm)
        self._offset = 0

    def chunks(self, cancel: Cancel, on_retry: OnRetry | None) -> Iterator[Buffer]:
        """Yield the blob; the end is reached only if it was right."""
        attempts = Attempts(self._retries, cancel, on_retry, stubborn=True)
        while True:
            told: RegistryError | None = None
            for session in self._sources.candidates(Capability.PULL):
                begun = self._offset
                try:
                    yield from self._from(session, cancel)
                except TransferCancelledError:
                    raise
                except RegistryError as error:
                    self._sources.failed(session, error)
                    told = more_telling(told, error, session)
                    if self._offset > begun:
                        attempts.succeeded()
                        break  # it gave something: it is asked for the rest first
                else:
                    self._verify(session)
                    self._sources.worked(session)
                    return
            assert told is not None
            attempts.failed(told)

    def _from(self, session: Session, cancel: Cancel) -> Iterator[Buffer]:
        with session.ask(self._request(), cancel) as reply:
            skip = self._skip(reply)
            for piece in reply.chunks():
                fresh: Buffer = piece
                if skip:
                    fresh = memoryview(piece)[skip:]
                    skip -= len(piece) - len(fresh)
                if not len(fresh):
                    continue
                self._take(fresh, session, reply)
                yield fresh
                cancel.check()
            if self._offset < self._size:
                raise RegistryUnavailableError(
                    f"{reply.url} ended after {self._offset} of {self._size} bytes"
                )

    def _request(self) -> Ask:
        ranged = {"Range": f"bytes={self._offset}-"} if self._offset else {}
        ask = self._ask
        return Ask(ask.method, ask.url, ask.scopes, (200, 206), ranged, assumed="BLOB_UNKNOWN")

    def _skip(self, reply: Reply) -> int:
        """Check what the headers promise; return how much of the answer we have already."""
        if reply.status == 206:
            match = _RANGE.fullmatch(reply.headers.get("Content-Range", "").strip())
            first = number(match[1]) if match else None
            if match is None or first is None or first > self._offset:
                raise BadRegistryAnswerError(
                    f"{reply.url}: asked for bytes from {self._offset}, was sent "
                    f"{reply.headers.get('Content-Range') or 'an unknown part'}"
                )
            total = match[3]
            skip = self._offset - first
        else:
            total, skip = reply.headers.get("Content-Length", ""), self._offset
        length = number(total)
        if length is not None and length != self._size:
            raise BadRegistryAnswerError(
                f"{reply.url} is {total} bytes long, its descriptor says {self._size}"
            )
        return skip

    def _take(self, piece: Buffer, session: Session, reply: Reply) -> None:
        self._offset += len(piece)
        if self._offset > self._size:
            self._sources.distrust(session)
            raise BadRegistryAnswerError(
                f"{reply.url} sends more than the {self._size} bytes of its descriptor"
            )
        self._hasher.update(piece)

    def _verify(self, session: Session) -> None:
        found = Digest(self._digest.algorithm, self._hasher.hexdigest())
        if found != self._digest:
            self._sources.distrust(session)
            raise BadRegistryAnswerError(
                f"filesystem layer verification failed for digest {self._digest}: "
                f"{session.endpoint.origin} sent {found}"
            )
