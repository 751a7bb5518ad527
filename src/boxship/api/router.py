"""From a method and a path to an endpoint.

A pattern is made of literal segments and at most one variable: ``{id}`` stands for one segment,
``{name...}`` for one or more, because names of images contain slashes. The endpoint gets it as
``call.target``, percent-decoded.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import unquote

from boxship.api.call import Call
from boxship.api.http.messages import Answer

Endpoint = Callable[[Call], Answer | Awaitable[Answer]]
"""One that waits for nothing is a plain function."""


class Found(NamedTuple):
    """A route that fits; ``target`` is its variable's text, empty if it has none."""

    endpoint: Endpoint
    target: str
    pattern: str


@dataclass(frozen=True, slots=True)
class _Route:
    pattern: str
    before: tuple[str, ...]
    after: tuple[str, ...]
    greedy: bool
    endpoint: Endpoint

    def match(self, segments: list[str]) -> str | None:
        """Return the variable's text if the path fits."""
        first, last = len(self.before), len(segments) - len(self.after)
        if last <= first or (not self.greedy and last != first + 1):
            return None
        if tuple(segments[:first]) != self.before or tuple(segments[last:]) != self.after:
            return None
        return "/".join(segments[first:last])


class Router:
    """A table of routes. Literal ones win; others are tried in the order they were added."""

    def __init__(self) -> None:
        self._literal: dict[tuple[str, str], Found] = {}
        self._variable: dict[tuple[str, str], list[_Route]] = {}

    def add(self, method: str, pattern: str, endpoint: Endpoint) -> None:
        """Add a route; of two that fit, the one added first is taken."""
        before, brace, rest = pattern.partition("{")
        if not brace:
            self._literal.setdefault((method, pattern), Found(endpoint, "", pattern))
            return
        variable, _, after = rest.partition("}")
        route = _Route(
            pattern=pattern,
            before=tuple(before.strip("/").split("/")),
            after=tuple(after.strip("/").split("/")) if after else (),
            greedy=variable.endswith("..."),
            endpoint=endpoint,
        )
        self._variable.setdefault((method, route.before[0]), []).append(route)

    def find(self, method: str, path: str) -> Found | None:
        """Return the route that a request means."""
        found = self._literal.get((method, path))
        if found is not None:
            return found
        segments = path[1:].split("/")
        for route in self._variable.get((method, segments[0]), ()):
            target = route.match(segments)
            if target:
                return Found(route.endpoint, unquote(target), route.pattern)
        return None
