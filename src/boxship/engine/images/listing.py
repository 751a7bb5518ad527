"""Views of images: rows of a list, one in full, its history. Pure."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from boxship.base.errors import InvalidArgumentError
from boxship.engine.images.catalog import KnownImage, created_ns
from boxship.model.explanation import LayerStep
from boxship.model.image import (
    HistoryStep,
    ImageDetail,
    ImageFilters,
    ImageQuery,
    ImageSummary,
    ManifestSummary,
    StorageDetail,
)
from boxship.oci.image import ImageConfig
from boxship.oci.reference import Reference

Names = list[Reference]


@dataclass(frozen=True, slots=True)
class Row:
    """An image and its names, as the filters see them."""

    known: KnownImage
    names: Names
    is_parent: bool


def select(
    rows: Iterable[Row], query: ImageQuery, created_of: Callable[[str], int]
) -> Iterator[Row]:
    """Yield the rows that the query shows, with the names it shows.

    ``created_of`` finds the creation time of the image that ``before`` or ``since`` names.
    """
    filters = query.filters
    before = [created_of(name) for name in filters.before]
    since = [created_of(name) for name in filters.since]
    patterns = [_compiled(pattern) for pattern in filters.references]
    for row in rows:
        if not query.all and row.is_parent and not row.names:
            continue
        created = row.known.created_ns
        if any(created >= limit for limit in before):
            continue
        if filters.until_ns is not None and created > filters.until_ns:
            continue
        if any(created <= limit for limit in since) or not _labels_match(row.known, filters):
            continue
        if filters.dangling is not None and not _is_dangling(row, filters.dangling):
            continue
        if not patterns:
            yield row
        elif names := [name for name in row.names if _matches(patterns, name)]:
            yield Row(row.known, names, row.is_parent)


def _is_dangling(row: Row, wanted: bool) -> bool:
    """One with digests alone is shown either way, as in Docker."""
    return not any(name.tag for name in row.names) if wanted else bool(row.names)


def summary(
    row: Row,
    *,
    shared_size: int,
    containers: int,
    last_used_ns: int,
    manifests: tuple[ManifestSummary, ...] = (),
) -> ImageSummary:
    """Make a row of the list."""
    known = row.known
    return ImageSummary(
        id=str(known.id),
        parent_id=known.record.parent,
        tags=_tags(row.names),
        digests=_digests(row.names),
        created_ns=known.created_ns,
        size=known.record.size,
        labels=known.labels,
        shared_size=shared_size,
        containers=containers,
        os=known.image.os or "linux",
        architecture=known.image.architecture,
        variant=known.image.variant,
        last_used_ns=last_used_ns,
        manifests=manifests,
    )


def detail(
    row: Row,
    config_json: bytes,
    storage: StorageDetail,
    last_used_ns: int,
    manifests: tuple[ManifestSummary, ...] = (),
) -> ImageDetail:
    """Show an image in full."""
    known, image = row.known, row.known.image
    return ImageDetail(
        id=str(known.id),
        tags=_tags(row.names),
        digests=_digests(row.names),
        parent_id=known.record.parent or image.parent,
        comment=_comment(known),
        author=image.author,
        created=image.created or "",
        created_ns=known.created_ns,
        config=image.config or ImageConfig(),
        container=image.container,
        docker_version=image.docker_version,
        architecture=image.architecture,
        variant=image.variant,
        os=image.os or "linux",
        os_version=image.os_version,
        size=known.record.size,
        storage=storage,
        layers=tuple(map(str, known.layers)),
        last_tagged_ns=known.record.last_tagged_ns,
        last_used_ns=last_used_ns,
        config_json=config_json,
        manifests=manifests,
    )


def history(rows: Sequence[Row]) -> list[HistoryStep]:
    """Return the steps that made the first image of ``rows``, newest first.

    The others are its parents, as far as they are known, each before its own: the first so many
    steps are shown as theirs, as Docker does.
    """
    known = rows[0].known
    sizes = iter(known.record.layer_sizes)
    steps = [
        HistoryStep(
            id="<missing>",
            created_ns=created_ns(step.created),
            created_by=step.created_by,
            tags=(),
            size=0 if step.empty_layer else next(sizes, 0),
            comment=step.comment,
        )
        for step in known.image.history or ()
    ]
    steps.reverse()
    for number, (step, row) in enumerate(zip(steps, rows, strict=False)):
        steps[number] = replace(step, id=str(row.known.id), tags=_tags(row.names))
    return steps


def layers(row: Row) -> list[LayerStep]:
    """Return the image's layers, lowest first, each with the step that made it."""
    known = row.known
    steps = [step for step in known.image.history or () if not step.empty_layer]
    made_by = [step.created_by for step in steps]
    made_by += [""] * (len(known.layers) - len(made_by))
    return [
        LayerStep(str(layer), size, step)
        for layer, size, step in zip(
            known.layers, known.record.layer_sizes, made_by[: len(known.layers)], strict=True
        )
    ]


def _comment(known: KnownImage) -> str:
    steps = known.image.history
    return known.image.comment or (steps[-1].comment if steps else "")


def _tags(names: Names) -> tuple[str, ...]:
    return tuple(name.familiar for name in names if name.tag)


def _digests(names: Names) -> tuple[str, ...]:
    return tuple(name.familiar for name in names if name.digest)


def _labels_match(known: KnownImage, filters: ImageFilters) -> bool:
    labels = known.labels

    def has(wanted: str) -> bool:
        name, equals, value = wanted.partition("=")
        return name in labels and (not equals or labels[name] == value)

    return all(map(has, filters.labels)) and not any(map(has, filters.without_labels))


def _matches(patterns: list["re.Pattern[str]"], name: Reference) -> bool:
    """A pattern speaks of the whole familiar name or of the repository alone."""
    texts = (name.familiar, name.familiar_name)
    return any(pattern.fullmatch(text) for pattern in patterns for text in texts)


def _compiled(pattern: str) -> "re.Pattern[str]":
    """Translate a shell pattern in which ``*`` and ``?`` stop at slashes, as Go's path.Match."""
    parts: list[str] = []
    at = 0
    while at < len(pattern):
        char = pattern[at]
        closing = pattern.find("]", at + 2) if char == "[" else -1
        if (char == "[" and closing < 0) or (char == "\\" and at + 1 == len(pattern)):
            raise _bad_pattern()
        if closing > 0:
            inside = pattern[at + 1 : closing].replace("\\", "\\\\").replace("[", "\\[")
            parts.append(f"[{inside}]")
            at = closing
        elif char == "\\" and at + 1 < len(pattern):
            at += 1
            parts.append(re.escape(pattern[at]))
        else:
            parts.append({"*": "[^/]*", "?": "[^/]"}.get(char, re.escape(char)))
        at += 1
    try:
        return re.compile("".join(parts))
    except re.error as error:
        raise _bad_pattern() from error


def _bad_pattern() -> InvalidArgumentError:
    return InvalidArgumentError("syntax error in pattern")
