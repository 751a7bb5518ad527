"""Which entries of the cache go; pure."""

import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence

from boxship.base.errors import InvalidArgumentError
from boxship.base.moments import parse_duration
from boxship.engine.build.requests import CacheEntry, PruneRequest

Test = Callable[[CacheEntry], bool]

INTERNAL = frozenset({"internal", "frontend"})


def doomed(
    entries: Iterable[CacheEntry], request: PruneRequest, *, now_ns: int, free_bytes: int
) -> list[CacheEntry]:
    """Return what goes, least recently used first. What is in use stays.

    With bounds (``keep_bytes``, ``max_used_bytes``, ``min_free_bytes``) only as much as they ask
    for. InvalidArgumentError: a filter that nobody knows.
    """
    everything = list(entries)
    wanted = _tests(request.filters, now_ns)
    candidates = [
        entry
        for entry in everything
        if not entry.in_use
        and (request.all or not (entry.shared or entry.kind in INTERNAL))
        and now_ns - (entry.last_used_ns or entry.created_ns) >= request.keep_duration_ns
        and all(test(entry) for test in wanted)
    ]
    candidates.sort(key=lambda entry: entry.last_used_ns or entry.created_ns)
    bound = request.keep_bytes or request.max_used_bytes
    if not bound and not request.min_free_bytes:
        return candidates
    used = sum(entry.size for entry in everything if all(test(entry) for test in wanted))
    excess = max(used - bound if bound else 0, request.min_free_bytes - free_bytes)
    return _as_much_as(candidates, excess)


def _as_much_as(candidates: Sequence[CacheEntry], excess: int) -> list[CacheEntry]:
    found: list[CacheEntry] = []
    for entry in candidates:
        if excess <= 0:
            break
        found.append(entry)
        excess -= entry.size
    return found


def _tests(filters: Mapping[str, tuple[str, ...]], now_ns: int) -> list[Test]:
    return [_any(name, values, now_ns) for name, values in filters.items()]


def _any(name: str, values: tuple[str, ...], now_ns: int) -> Test:
    tests = [_test(name, value, now_ns) for value in values]
    return lambda entry: any(test(entry) for test in tests)


def _test(name: str, value: str, now_ns: int) -> Test:
    flag = value.lower() not in ("false", "0")
    table: dict[str, Test] = {
        "id": lambda entry: entry.id == value or entry.id.startswith(value),
        "parent": lambda entry: value in entry.parents,
        "type": lambda entry: entry.kind == value,
        "description": lambda entry: value in entry.description,
        "inuse": lambda entry: entry.in_use is flag,
        "shared": lambda entry: entry.shared is flag,
        "private": lambda entry: entry.shared is not flag,
        "mutable": lambda entry: entry.mutable is flag,
        "immutable": lambda entry: entry.mutable is not flag,
    }
    if name in ("until", "unused-for"):
        least = _duration(name, value)
        return lambda entry: now_ns - (entry.last_used_ns or entry.created_ns) >= least
    if name not in table:
        known = ", ".join(sorted([*table, "until", "unused-for"]))
        raise InvalidArgumentError(f"invalid filter '{name}': it is one of {known}")
    return table[name]


def _duration(name: str, value: str) -> int:
    try:
        return parse_duration(value)
    except ValueError as error:
        raise InvalidArgumentError(f"filter {name}={value}: {error}") from error


def free_bytes(path: str) -> int:
    """Return what is free on the file system of a directory."""
    return shutil.disk_usage(path).free
