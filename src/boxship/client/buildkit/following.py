"""Paths with the links on their way: what has to be sent so that they lead somewhere.

A builder asks for ``COPY app`` by the path ``app``; if that is a link to ``releases/7``, both are
needed. Wildcards in a path are matched name by name. No link leads out of the root.
"""

import fnmatch
import os
import re
from collections.abc import Iterable

_MOST_LINKS = 255
_WILD = re.compile(r"[*?\[\\]")


def followed(root: str, paths: Iterable[str]) -> tuple[str, ...]:
    """Return the paths to include, links and what they lead to; ``.`` is everything."""
    found: set[str] = set()
    for path in paths:
        _Walk(root, found).go("", path.lstrip("/").split("/"))
    kept = sorted(found)
    return tuple(path for path in kept if not _is_covered(path, found))


def _is_covered(path: str, others: set[str]) -> bool:
    """Whether a directory above it is included as a whole."""
    parts = path.split("/")
    return any("/".join(parts[:count]) in others for count in range(1, len(parts)))


class _Literal(str):
    """A name that was found, in which wildcards mean nothing."""

    __slots__ = ()


class _Walk:
    """One path on its way."""

    def __init__(self, root: str, found: set[str]) -> None:
        self._root = root
        self._found = found
        self._links = 0

    def go(self, at: str, parts: list[str]) -> None:
        """Go on from the directory ``at``, all of whose links were followed."""
        for index, part in enumerate(parts):
            rest = parts[index + 1 :]
            if part in ("", "."):
                continue
            if part == "..":
                at = os.path.dirname(at)
                continue
            if _WILD.search(part) and not isinstance(part, _Literal):
                self._match(at, part, rest)
                return
            path = f"{at}/{part}" if at else part
            target = self._link(path)
            if target is not None:
                self._found.add(path)
                self._links += 1
                if self._links <= _MOST_LINKS:
                    start = "" if target.startswith("/") else at
                    self.go(start, [*target.split("/"), *rest])
                return
            at = path
        self._found.add(at or ".")

    def _match(self, at: str, pattern: str, rest: list[str]) -> None:
        try:
            names = sorted(os.listdir(os.path.join(self._root, at)))
        except OSError:
            return
        matching = fnmatch.translate(pattern)
        for name in names:
            if re.match(matching, name):
                self.go(at, [_Literal(name), *rest])

    def _link(self, path: str) -> str | None:
        try:
            return os.readlink(os.path.join(self._root, path))
        except OSError:
            return None
