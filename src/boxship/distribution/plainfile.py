"""A file at a URL that is no registry's: fetched over HTTP(S) and nothing else.

Proxies are those of the environment.
"""

import http
import http.client
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from urllib.parse import urlsplit

from boxship.base.errors import InvalidArgumentError, NotFoundError, UnavailableError

_PATIENCE = 60.0
"""Seconds that a server may be silent."""
_PIECE = 1 << 20
_LONGEST_ANSWER = 1024


def checked_url(text: str) -> str:
    """Complete and check a URL. InvalidArgumentError."""
    url = text if "://" in text else f"http://{text}"
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https"):
        raise InvalidArgumentError(f'cannot fetch {url}: unsupported scheme "{parts.scheme}"')
    if not parts.hostname:
        raise InvalidArgumentError(f"cannot fetch {url}: it names no host")
    return url


class PlainFile:
    """One download. Its methods block, but ``close``, which may be called from any thread."""

    def __init__(
        self, url: str, authorization: str = "", conditions: Mapping[str, str] | None = None
    ) -> None:
        """``authorization`` is a whole header's value; where the server redirects to, it is not
        sent. ``conditions`` are headers (RFC 9110, section 13) under which the file is wanted."""
        self.url = url
        self._conditions = conditions or {}
        self._authorization = authorization
        self._response: http.client.HTTPResponse | None = None
        self._closed = False

    def open(self) -> bool:
        """Ask the server, and wait for the beginning of its answer. False: the conditions are not
        met, and there is nothing to read.

        NotFoundError: it has no such file; UnavailableError: it cannot be reached, or refuses.
        """
        try:
            request = urllib.request.Request(self.url, headers=dict(self._conditions))
            if self._authorization:
                request.add_unredirected_header("Authorization", self._authorization)
            self._response = _opener().open(request, timeout=_PATIENCE)
        except urllib.error.HTTPError as error:
            with error:
                if error.code == http.HTTPStatus.NOT_MODIFIED and self._conditions:
                    return False
                raise _refused(self.url, error) from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            reason = getattr(error, "reason", None) or error
            if isinstance(reason, OSError) and reason.strerror:
                reason = reason.strerror.lower()
            raise UnavailableError(f'Get "{self.url}": {reason}') from error
        return True

    def header(self, name: str) -> str:
        """Return what the answer says about the file; empty: nothing."""
        assert self._response is not None
        return self._response.headers.get(name) or ""

    def pieces(self, told: Callable[[int, int], None]) -> Iterator[bytes]:
        """Yield what the server sends, to the length that it has announced.

        ``told`` gets the bytes so far and in total (0: unknown). UnavailableError: it breaks off.
        """
        assert self._response is not None
        total = int(self._response.headers.get("Content-Length") or 0)
        current = 0
        with self._response as response:
            while piece := self._read(response):
                current += len(piece)
                told(current, total)
                yield piece
        if current < total:
            raise UnavailableError(f'Get "{self.url}": it ended after {current} of {total} bytes')

    def close(self) -> None:
        """Nobody waits any more: the piece that is on its way is the last."""
        self._closed = True

    def _read(self, response: http.client.HTTPResponse) -> bytes:
        if self._closed:
            raise UnavailableError("the download was broken off")
        try:
            return response.read(_PIECE)
        except (OSError, http.client.HTTPException) as error:
            raise UnavailableError(f'Get "{self.url}": {error}') from error


def _opener() -> urllib.request.OpenerDirector:
    """One that knows no ftp: and no file:, whatever a server redirects to."""
    opener = urllib.request.OpenerDirector()
    for kind in (
        urllib.request.ProxyHandler,
        urllib.request.HTTPHandler,
        urllib.request.HTTPSHandler,
        urllib.request.HTTPRedirectHandler,
        urllib.request.HTTPDefaultErrorHandler,
        urllib.request.HTTPErrorProcessor,
        urllib.request.UnknownHandler,
    ):
        opener.add_handler(kind())
    return opener


def _refused(url: str, error: urllib.error.HTTPError) -> Exception:
    text = error.read(_LONGEST_ANSWER).decode("utf-8", "replace").strip()
    message = f"failed to GET {url} with status {error.code} {error.reason}: {text}"
    return (NotFoundError if error.code == 404 else UnavailableError)(message)
