"""A blob to a registry.

::

    POST  …/blobs/uploads/                          202, Location: where it goes on
    PUT   <location>&digest=<digest>  <all of it>   201                        known beforehand
    PATCH <location>  <stream>                      202, Location
    PUT   <location>&digest=<digest>                201                        known at the end
    GET   <location>                                204, Range: 0-<last>       broken off: how far?
    PATCH <location>  Content-Range: <rest>         202
    DELETE <location>                               given up

The stream goes out as it comes, in one request, as Docker does it. What was sent last is kept, so
that a registry that tells how far it got needn't be sent all of it again; one that doesn't fails.
One stream is one chunk, of whatever length: ``OCI-Chunk-Min-Length`` is kept by having no second.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from threading import Timer
from urllib.parse import urlencode

from boxship.distribution.answers import number
from boxship.distribution.attempts import Attempts
from boxship.distribution.cancel import Cancel
from boxship.distribution.errors import (
    BadRegistryAnswerError,
    RegistryError,
    RegistryUnavailableError,
    TransferCancelledError,
)
from boxship.distribution.session import Ask, Session
from boxship.distribution.settings import Retries
from boxship.distribution.transport import Buffer, Reply
from boxship.distribution.urls import joined
from boxship.oci.digest import Digest, new_hasher

_LAST_WORD = 3.0
"""Seconds that a registry gets to forget an upload: whoever cancelled is waiting."""
_KEPT = 4 << 20
"""Bytes kept for repetition: more than what the sockets of both sides and a proxy hold."""


class _SourceFailedError(Exception):
    """The caller's iterator failed: urllib3 must not take it for a failure of the connection."""

    def __init__(self, cause: BaseException) -> None:
        super().__init__()
        self.cause = cause


class _Stream:
    """The caller's chunks on their way out: hashed, counted, the last few kept."""

    def __init__(self, chunks: Iterable[Buffer], cancel: Cancel | None, algorithm: str) -> None:
        self._chunks = iter(chunks)
        self._cancel = cancel
        self._hasher = new_hasher(algorithm)
        self._algorithm = algorithm
        self._kept: deque[bytes] = deque()
        self._kept_size = 0
        self.taken = 0
        self.ended = False

    @property
    def digest(self) -> Digest:
        return Digest(self._algorithm, self._hasher.hexdigest())

    def fresh(self) -> Iterator[bytes]:
        """Yield what hasn't been sent yet."""
        while True:
            if self._cancel is not None:
                self._cancel.check()
            try:
                chunk = next(self._chunks, None)
            except BaseException as error:
                raise _SourceFailedError(error) from error
            if chunk is None:
                self.ended = True
                return
            data = bytes(chunk)  # no copy if it is bytes already
            self._hasher.update(data)
            self.taken += len(data)
            self._keep(data)
            if data:
                yield data

    def since(self, offset: int) -> Iterator[bytes] | None:
        """Yield again what follows ``offset``, then what is fresh; ``None`` if it isn't kept."""
        at = self.taken - self._kept_size
        if not at <= offset <= self.taken:
            return None
        again = []
        for piece in self._kept:
            again.append(piece[max(0, offset - at) :])
            at += len(piece)
        return self._joined([piece for piece in again if piece])

    def _joined(self, again: list[bytes]) -> Iterator[bytes]:
        yield from again
        yield from self.fresh()

    def _keep(self, data: bytes) -> None:
        self._kept.append(data)
        self._kept_size += len(data)
        while self._kept_size - len(self._kept[0]) >= _KEPT:
            self._kept_size -= len(self._kept.popleft())


class Upload:
    """One upload at one endpoint."""

    def __init__(
        self,
        session: Session,
        path: str,
        scopes: frozenset[str],
        retries: Retries,
        cancel: Cancel | None,
    ) -> None:
        self._session = session
        self._path = path
        self._scopes = scopes
        self._retries = retries
        self._cancel = cancel

    def whole(self, chunks: Iterable[Buffer], digest: Digest, size: int) -> Digest:
        """Send a blob whose digest and size are known, in one request."""
        location = self._begin()
        stream = _Stream(chunks, self._cancel, digest.algorithm)
        ask = Ask(
            "PUT",
            _with_digest(location, digest),
            self._scopes,
            (201, 204),
            {"Content-Type": "application/octet-stream"},
            _exactly(stream, size),
            length=size,
        )
        try:
            self._session.ask(ask, self._cancel).close()
        except BaseException as error:  # noqa: BLE001 - raised again, or what caused it
            self.abandon(location)
            raise _cause(error) from None
        return self._checked(stream, digest)

    def streamed(self, chunks: Iterable[Buffer], digest: Digest | None) -> Digest:
        """Send a stream; its digest is computed on the way (and compared, if one is given)."""
        location = self._begin()
        stream = _Stream(chunks, self._cancel, digest.algorithm if digest else "sha256")
        try:
            location = self._patched(stream, location)
            found = self._checked(stream, digest or stream.digest)
            self._finish(location, found)
        except BaseException as error:  # noqa: BLE001 - raised again, or what caused it
            self.abandon(location)
            raise _cause(error) from None
        return found

    def abandon(self, location: str) -> None:
        """Have the registry forget an upload; that it doesn't is nobody's concern any more."""
        if not location:
            return
        enough = Cancel()  # not the caller's, which may have been thrown
        timer = Timer(_LAST_WORD, enough.cancel)
        timer.start()
        try:
            ask = Ask("DELETE", location, self._scopes, (200, 202, 204, 404))
            self._session.ask(ask, enough).close()
        except RegistryError:
            pass
        finally:
            timer.cancel()

    def _begin(self) -> str:
        ask = Ask("POST", f"{self._path}/blobs/uploads/", self._scopes, (202,), body=b"")
        with self._session.ask_again(ask, self._retries, self._cancel) as reply:
            return _location(reply)

    def _patched(self, stream: _Stream, location: str) -> str:
        """Send the stream, and what got lost of it again. Return where to finish."""
        attempts = Attempts(self._retries, self._cancel)
        pieces, at = stream.fresh(), 0
        while True:
            try:
                return self._patch(location, pieces, at)
            except RegistryUnavailableError as error:
                attempts.failed(error)
                known = self._offset(location)
                rest = stream.since(known[1]) if known else None
                if known is None or rest is None:
                    raise
                if known[1] > at:
                    attempts.succeeded()
                location, at = known
                pieces = rest

    def _patch(self, location: str, pieces: Iterable[bytes], at: int) -> str:
        # The length isn't known, so that a range can only be named for what is repeated: registries
        # take a stream without one as following what they have.
        headers = {"Content-Type": "application/octet-stream"}
        ask = Ask("PATCH", location, self._scopes, (202, 201, 204), headers, pieces)
        with self._session.ask(ask, self._cancel) as reply:
            return _location(reply)

    def _offset(self, location: str) -> tuple[str, int] | None:
        """Ask how far the registry got, and where to go on; ``None`` if it doesn't know."""
        try:
            ask = Ask("GET", location, self._scopes, (204, 202))
            with self._session.ask_again(ask, self._retries, self._cancel) as reply:
                first, dash, last = reply.headers.get("Range", "").rpartition("=")[2].partition("-")
                offset = number(last)
                if not dash or first != "0" or offset is None:
                    return None
                # "0-0" stands for nothing as well as for one byte; nothing is the usual meaning.
                return _location(reply, location), offset + 1 if offset else 0
        except TransferCancelledError:
            raise
        except RegistryError:
            return None

    def _finish(self, location: str, digest: Digest) -> None:
        ask = Ask("PUT", _with_digest(location, digest), self._scopes, (201, 204), body=b"")
        self._session.ask_again(ask, self._retries, self._cancel).close()

    def _checked(self, stream: _Stream, digest: Digest) -> Digest:
        if stream.digest != digest:
            raise BadRegistryAnswerError(f"sent {stream.digest} where {digest} was announced")
        return digest


def _exactly(stream: _Stream, size: int) -> Iterator[bytes]:
    for piece in stream.fresh():
        if stream.taken > size:
            break
        yield piece
    if stream.taken != size:
        # Announced and not kept: the connection has to break, and not by the registry's fault.
        raise _SourceFailedError(
            BadRegistryAnswerError(f"the blob is not of the {size} bytes that were announced")
        )


def _location(reply: Reply, default: str = "") -> str:
    location = reply.headers.get("Location", "") or default
    if not location:
        raise BadRegistryAnswerError(f"{reply.url}: the registry names no place to upload to")
    return joined(reply.url, location)


def _with_digest(location: str, digest: Digest) -> str:
    return f"{location}{'&' if '?' in location else '?'}{urlencode({'digest': str(digest)})}"


def _cause(error: BaseException) -> BaseException:
    return error.cause if isinstance(error, _SourceFailedError) else error
