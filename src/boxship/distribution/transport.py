"""HTTP with registries: one request, its redirects, its failures as our errors. No authorization.

Connections are kept and used again, per set of TLS rules and proxy; any number of threads may ask.
"""

import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import ModuleType, TracebackType
from typing import TYPE_CHECKING, Self

from boxship.distribution.answers import number
from boxship.distribution.cancel import Cancel
from boxship.distribution.errors import (
    BadRegistryAnswerError,
    RegistryError,
)
from boxship.distribution.proxies import proxy_for
from boxship.distribution.settings import RegistrySettings
from boxship.distribution.tls import DEFAULT_RULES, TlsRules
from boxship.distribution.urls import joined, origin, plain_url

if TYPE_CHECKING:
    import urllib3

    from boxship.distribution.connections import Watching

Buffer = bytes | bytearray | memoryview

CHUNK = 1 << 20
_LONGEST_REFUSAL = 64 << 10
_MOST_REDIRECTS = 10
_REDIRECTS = {301, 302, 303, 307, 308}
# What may follow a redirect to another host; nothing of it says who we are.
_HARMLESS = {"Accept", "Range", "Content-Type"}
# What is left of an answer is read, if it is little: its connection can be used again.
_WORTH_DRAINING = 64 << 10


@dataclass(frozen=True, slots=True)
class Request:
    """``headers`` may hold secrets: they go to the host of ``url``, never along a redirect."""

    method: str
    url: str
    tls: TlsRules = DEFAULT_RULES
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes | Iterable[Buffer] | None = field(default=None, repr=False)
    length: int | None = None
    """Of an iterable body; ``None`` sends it in HTTP's chunks."""
    secret_body: bool = False
    """The body says who we are: it isn't sent along a redirect to another host."""


class Reply:
    """An answer whose body is still to be read. It has to be closed: use ``with``."""

    def __init__(
        self,
        url: str,
        response: "urllib3.BaseHTTPResponse",
        watching: "Watching",
        failed: "_Failure",
    ) -> None:
        self.url = url
        self.status = response.status
        self.headers: Mapping[str, str] = response.headers
        self._response = response
        self._watching = watching
        self._failed = failed

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _t: type[BaseException] | None, _e: BaseException | None, _tb: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the connection back if all was read, else end it."""
        if self._is_short():
            with contextlib.suppress(*_failures().FAILURES, ValueError):
                self._response.drain_conn()
        else:
            self._response.close()
        # Before the next request can have it: it isn't this one's to end any more.
        self._watching.release()
        self._response.release_conn()

    def chunks(self) -> Iterator[bytes]:
        """Yield the body in pieces of about 1 MiB."""
        try:
            while piece := self._response.read(CHUNK, decode_content=False):
                yield piece
        except (*_failures().FAILURES, ValueError) as error:  # urllib3's, of a chunk's length
            raise self._failed(error) from error
        self._watching.check()  # shut down, what tells no length ends as if that were all

    def read(self, most: int) -> bytes:
        """Return the whole body. Raise BadRegistryAnswerError if it is longer than ``most``."""
        pieces, size = [], 0
        for piece in self.chunks():
            size += len(piece)
            if size > most:
                raise BadRegistryAnswerError(f"{self.url} answered with more than {most} bytes")
            pieces.append(piece)
        return b"".join(pieces)

    def start(self, most: int = _LONGEST_REFUSAL) -> bytes:
        """Return the beginning of a body that may be anything."""
        with contextlib.suppress(RegistryError):
            return next(iter(self.chunks()), b"")[:most]
        return b""

    def _is_short(self) -> bool:
        if "Transfer-Encoding" in self.headers:
            return False  # whatever is said beside it
        length = number(self.headers.get("Content-Length", ""))
        return length is not None and length <= _WORTH_DRAINING


_Failure = Callable[[Exception], RegistryError]


def _failures() -> ModuleType:
    # urllib3 takes 5 MB and 35 ms: it is for processes that do ask a registry.
    from boxship.distribution import failures  # noqa: PLC0415

    return failures


def _connections() -> ModuleType:
    from boxship.distribution import connections  # noqa: PLC0415 - as above

    return connections


class Transport:
    """All connections of a daemon or command to registries."""

    def __init__(
        self,
        settings: RegistrySettings,
        user_agent: str,
        tls_of: Callable[[str], TlsRules],
    ) -> None:
        """``tls_of`` gives the rules for hosts that redirects lead to."""
        self._settings = settings
        self._user_agent = user_agent
        self._tls_of = tls_of
        self._lock = threading.Lock()
        self._pools: dict[tuple[TlsRules, str], urllib3.PoolManager] = {}

    def send(self, request: Request, cancel: Cancel | None = None) -> Reply:
        """Send and return the answer, whatever its status. Raise if there is none."""
        origin(request.url)
        current, seen = request, {request.url}
        while True:
            reply = self._once(current, cancel)
            target = reply.headers.get("Location", "")
            if reply.status not in _REDIRECTS or not target:
                return reply
            reply.close()
            target = joined(current.url, target)
            _check_redirect(request, current.url, target, seen)
            if origin(target) != origin(current.url):
                if current.secret_body and current.body is not None:
                    raise BadRegistryAnswerError(
                        f"{plain_url(current.url)} redirects to {plain_url(target)}, which "
                        "credentials are not shown to"
                    )
                rules = self.rules_elsewhere(current.url, target, current.tls)
                kept = {k: v for k, v in current.headers.items() if k in _HARMLESS}
                current = replace(current, headers=kept, tls=rules)
            if reply.status == 303 and current.method != "HEAD":
                current = replace(current, method="GET", body=None)
            current = replace(current, url=target)
            seen.add(target)

    def close(self) -> None:
        """Close idle connections."""
        with self._lock:
            pools, self._pools = list(self._pools.values()), {}
        for pool in pools:
            pool.clear()

    def rules_elsewhere(self, source: str, url: str, rules: TlsRules) -> TlsRules:
        """Another host: its own rules and the authorities we believed so far; nothing is shown.

        Raise BadRegistryAnswerError if it is asked in the clear without being an insecure one:
        what was to be read or changed by nobody else would be after all.
        """
        own = self._tls_of(url)
        if (
            origin(source)[0] == "https"
            and origin(url)[0] == "http"
            and rules.verify
            and own.verify
        ):
            raise BadRegistryAnswerError(
                f"{plain_url(source)} leads to {plain_url(url)}, without encryption: refused"
            )
        return TlsRules(
            tuple(dict.fromkeys(own.authorities + rules.authorities)),
            own.clients,
            own.verify and rules.verify,
        )

    def _once(self, request: Request, cancel: Cancel | None) -> Reply:
        if cancel is not None:
            cancel.check()
        connections = _connections()
        watching: Watching = connections.Watching(cancel)
        sent = {"User-Agent": self._user_agent, "Accept-Encoding": "identity", **request.headers}
        if request.length is not None:
            sent["Content-Length"] = str(request.length)

        def failed(error: Exception) -> RegistryError:
            if cancel is not None:
                cancel.check()
            found: RegistryError = _failures().translated(error, request, plain_url(request.url))
            return found

        try:
            with connections.requesting(watching):
                response = self._pool(request.url, request.tls).request(
                    request.method,
                    request.url,
                    headers=sent,
                    body=request.body,  # type: ignore[arg-type]  # any buffer does
                    preload_content=False,
                    redirect=False,
                    retries=False,
                )
        except BaseException as error:
            watching.release()
            if isinstance(error, _failures().FAILURES):
                raise failed(error) from error
            raise
        return Reply(request.url, response, watching, failed)

    def _pool(self, url: str, rules: TlsRules) -> "urllib3.PoolManager":
        proxy = proxy_for(url, self._settings.proxies)
        is_tls = url.startswith("https:")
        key = (rules if is_tls else DEFAULT_RULES, proxy)
        with self._lock:
            pool = self._pools.get(key)
            if pool is None:
                new_pool = _connections().new_pool
                pool = self._pools[key] = new_pool(*key, self._settings.timeouts, is_tls=is_tls)
        return pool


def _check_redirect(request: Request, source: str, target: str, seen: set[str]) -> None:
    if not isinstance(request.body, bytes | None):
        raise BadRegistryAnswerError(f"{plain_url(source)} redirects in the middle of an upload")
    if target in seen:
        raise BadRegistryAnswerError(f"{plain_url(request.url)} redirects in a circle")
    if len(seen) > _MOST_REDIRECTS:
        raise BadRegistryAnswerError(
            f"{plain_url(request.url)} was redirected {_MOST_REDIRECTS} times and still is"
        )
