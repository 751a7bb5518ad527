"""What of the cache goes: by what is asked for, and by bounds."""

import pytest

from boxship.base.errors import InvalidArgumentError
from boxship.engine.build.gc import doomed
from boxship.engine.build.requests import CacheEntry, PruneRequest

HOUR = 3600 * 1_000_000_000
NOW = 1000 * HOUR


def entry(name: str, hours: int, size: int = 10, **facts: object) -> CacheEntry:
    """One that was used so many hours ago."""
    known: dict[str, object] = {"kind": "regular", "description": f"RUN {name}", **facts}
    return CacheEntry(
        id=name,
        size=size,
        created_ns=NOW - 900 * HOUR,
        last_used_ns=NOW - hours * HOUR,
        **known,  # type: ignore[arg-type]
    )


ENTRIES = [
    entry("new", 1),
    entry("old", 100),
    entry("older", 200, parents=("old",)),
    entry("busy", 300, in_use=True),
    entry("shared", 400, shared=True),
    entry("mount", 50, kind="exec.cachemount", mutable=True),
    entry("inner", 60, kind="internal"),
]


@pytest.mark.parametrize(
    ("request_", "gone"),
    [
        (PruneRequest(), "older old mount new"),
        (PruneRequest(all=True), "shared older old inner mount new"),
        (PruneRequest(keep_duration_ns=90 * HOUR), "older old"),
        (PruneRequest(keep_bytes=55), "older old"),
        (PruneRequest(keep_bytes=1000), ""),
        (PruneRequest(max_used_bytes=65), "older"),
        (PruneRequest(min_free_bytes=115), "older old"),
        (PruneRequest(min_free_bytes=100), ""),
        (PruneRequest(filters={"until": ("150h",)}), "older"),
        (PruneRequest(filters={"unused-for": ("60h",)}), "older old"),
        (PruneRequest(filters={"id": ("old",)}), "older old"),
        (PruneRequest(filters={"parent": ("old",)}), "older"),
        (PruneRequest(filters={"type": ("exec.cachemount", "x")}), "mount"),
        (PruneRequest(filters={"type": ("regular",), "description": ("new",)}), "new"),
        (PruneRequest(filters={"mutable": ("true",)}), "mount"),
        (PruneRequest(filters={"immutable": ("true",)}), "older old new"),
        (PruneRequest(all=True, filters={"shared": ("true",)}), "shared"),
        (PruneRequest(all=True, filters={"private": ("false",)}), "shared"),
        (PruneRequest(filters={"inuse": ("true",)}), ""),
        (PruneRequest(filters={"type": ("exec.cachemount",)}, keep_bytes=20), ""),
    ],
)
def test_what_goes(request_: PruneRequest, gone: str) -> None:
    found = doomed(ENTRIES, request_, now_ns=NOW, free_bytes=100)
    assert [each.id for each in found] == gone.split()


@pytest.mark.parametrize("filters", [{"nothing": ("x",)}, {"until": ("soon",)}])
def test_filters_that_mean_nothing(filters: dict[str, tuple[str, ...]]) -> None:
    with pytest.raises(InvalidArgumentError, match="filter"):
        doomed(ENTRIES, PruneRequest(filters=filters), now_ns=NOW, free_bytes=0)
