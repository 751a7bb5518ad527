"""Builds: the classic door, and what is kept for the next build.

What builds need is imported with the first of them: a daemon that never builds is the smaller.
"""

from boxship.api.call import EMPTY, Call
from boxship.api.endpoints.buildkit import build_in_session
from boxship.api.http.messages import Answer
from boxship.base.errors import InvalidArgumentError
from boxship.wire.prune import CachesPruned

_CLASSIC, _IN_SESSION = ("", "1"), "2"
_FILTERS = frozenset(
    {"id", "parent", "type", "description", "inuse", "shared", "private", "mutable", "immutable",
     "until", "unused-for"}
)  # fmt: skip
_OF_OBJECTS = frozenset({"label", "label!"})
"""`docker system prune` gives all kinds the same filters."""


async def build(call: Call) -> Answer:
    from boxship.api.classic.door import build as classic

    version = call.text("version")
    if version == _IN_SESSION:
        return await build_in_session(call)
    if version not in _CLASSIC:
        raise InvalidArgumentError(f'invalid version "{version}"')
    return classic(call)


async def cancel(call: Call) -> Answer:
    """End a build by the ``buildid`` it was begun with; of one that has ended nothing is said."""
    if not call.text("id"):
        raise InvalidArgumentError("build ID not provided")
    await call.backend.builds().cancel(call.text("id"))
    return EMPTY


async def prune(call: Call) -> Answer:
    from boxship.engine.build.requests import PruneRequest

    given = call.filters()
    for name in given:
        if name not in _FILTERS and name not in _OF_OBJECTS:
            raise InvalidArgumentError(f"failed to prune build cache: invalid filter '{name}'")
    if "label" in given:  # nothing that is kept has one
        return call.json(CachesPruned())
    reserved = call.integer("reserved-space") or call.integer("keep-storage")
    pruned = await call.backend.builds().prune(
        PruneRequest(
            all=call.boolean("all"),
            keep_bytes=reserved or 0,
            max_used_bytes=call.integer("max-used-space") or 0,
            min_free_bytes=call.integer("min-free-space") or 0,
            filters={name: given[name] for name in given if name not in _OF_OBJECTS},
        )
    )
    ids = tuple(entry.id for entry in pruned.entries)
    return call.json(CachesPruned(ids or None, pruned.space_reclaimed))


ROUTES = (
    ("POST", "/build", build),
    ("POST", "/build/cancel", cancel),
    ("POST", "/build/prune", prune),
)
