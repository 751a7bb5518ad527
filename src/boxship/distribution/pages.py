"""Lists that a registry gives page by page: ``Link: </v2/…?last=x&n=100>; rel="next"``."""

import re
from collections.abc import Iterator

import msgspec

from boxship.distribution.cancel import Cancel
from boxship.distribution.errors import BadRegistryAnswerError
from boxship.distribution.session import Ask, Session
from boxship.distribution.settings import Retries
from boxship.distribution.urls import joined

_PAGE = 1000
_MOST_PAGES = 10_000
_LONGEST = 8 << 20
_NEXT = re.compile(r'<([^>]*)>\s*;[^,]*\brel="?next"?', re.IGNORECASE)


class _Tags(msgspec.Struct):
    tags: tuple[str, ...] | None = None


class TagPages:
    """The tags of a repository; holds one page at a time."""

    def __init__(
        self,
        session: Session,
        path: str,
        scopes: frozenset[str],
        retries: Retries,
        cancel: Cancel | None,
    ) -> None:
        self._session = session
        self._scopes = scopes
        self._retries = retries
        self._cancel = cancel
        self._next = f"{path}/tags/list?n={_PAGE}"
        self._asked: set[str] = set()
        self._page: tuple[str, ...] = ()

    def advance(self) -> None:
        """Fetch the next page. Raise BadRegistryAnswerError for one that was fetched already."""
        if self._next in self._asked:
            raise BadRegistryAnswerError(f"the list of tags goes in a circle at {self._next}")
        if len(self._asked) >= _MOST_PAGES:
            raise BadRegistryAnswerError(f"the list of tags has no end after {_MOST_PAGES} pages")
        self._asked.add(self._next)
        ask = Ask("GET", self._next, self._scopes, assumed="NAME_UNKNOWN")
        with self._session.ask_again(ask, self._retries, self._cancel) as reply:
            link = _NEXT.search(reply.headers.get("Link", ""))
            self._next = joined(reply.url, link[1]) if link else ""
            try:
                page = msgspec.json.decode(reply.read(_LONGEST), type=_Tags)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                raise BadRegistryAnswerError(f"{reply.url}: no list of tags: {error}") from error
        self._page = page.tags or ()

    def tags(self) -> Iterator[str]:
        """Yield what the current page has and all that follow."""
        while True:
            yield from self._page
            if not self._next:
                return
            self.advance()
