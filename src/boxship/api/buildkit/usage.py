"""The cache of builds, in BuildKit's messages."""

from boxship.base.errors import InvalidArgumentError
from boxship.engine.build.requests import CacheEntry, PruneRequest
from boxship.wire.buildkit import control
from boxship.wire.buildkit.wellknown import Timestamp


def usage_record(entry: CacheEntry) -> control.UsageRecord:
    """Return one row of ``docker buildx du``."""
    last = entry.last_used_ns
    return control.UsageRecord(
        id=entry.id,
        mutable=entry.mutable,
        in_use=entry.in_use,
        size=entry.size,
        created_at=Timestamp.of_ns(entry.created_ns),
        last_used_at=None if last is None else Timestamp.of_ns(last),
        usage_count=entry.usage_count,
        description=entry.description,
        record_type=entry.kind,
        shared=entry.shared,
        parents=entry.parents,
    )


def prune_request(request: control.PruneRequest) -> PruneRequest:
    """Return what a client lets go. InvalidArgumentError: a filter that can't be read."""
    return PruneRequest(
        all=request.all,
        keep_bytes=request.reserved_space,
        keep_duration_ns=request.keep_duration,
        max_used_bytes=request.max_used_space,
        min_free_bytes=request.min_free_space,
        filters=_filters(request.filter),
    )


def _filters(texts: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """Read containerd's filters as far as clients of builders write them: ``name==value,…``."""
    found: dict[str, list[str]] = {}
    for text in filter(None, texts):  # clients that filter by nothing send one that is empty
        for part in text.split(","):
            name, operator, value = _split(part)
            if not name:
                raise InvalidArgumentError(f"invalid filter {text!r}")
            found.setdefault(name, []).append(operator + value)
    return {name: tuple(values) for name, values in found.items()}


def _split(part: str) -> tuple[str, str, str]:
    """``shared`` alone says that it is so; the operator stays with the value if it isn't ``=``."""
    for operator in ("!=", "~=", "==", "="):
        name, found, value = part.partition(operator)
        if found:
            return name.strip(), "" if operator[0] == "=" else operator, value.strip().strip('"')
    return part.strip(), "", "true"
