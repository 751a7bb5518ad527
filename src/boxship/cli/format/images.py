"""An image as ``images`` shows it, and the rows of one list entry."""

import time
from collections.abc import Iterator, Mapping
from typing import Any

from boxship.cli.format.directive import Column, View
from boxship.cli.format.durations import local_time, since
from boxship.cli.format.sizes import human_size

NOTHING = "<none>"
_SHORT_ID = 12


def short_image_id(identifier: str) -> str:
    return identifier.removeprefix("sha256:")[:_SHORT_ID]


class ImageView:
    """One tag (or one untagged digest) of an entry of ``GET /images/json``."""

    def __init__(
        self,
        summary: Mapping[str, Any],
        repository: str,
        tag: str,
        digest: str,
        *,
        full: bool,
        now: float | None = None,
    ) -> None:
        self._summary = summary
        self._repository = repository
        self._tag = tag
        self._digest = digest
        self._full = full
        self._now = time.time() if now is None else now

    def id(self) -> str:
        identifier: str = self._summary["Id"]
        return identifier if self._full else short_image_id(identifier)

    def repository(self) -> str:
        return self._repository

    def tag(self) -> str:
        return self._tag

    def digest(self) -> str:
        return self._digest

    def created_since(self) -> str:
        created = self._summary.get("Created", 0)
        return since(created, self._now) if created > 0 else "N/A"

    def created_at(self) -> str:
        return local_time(self._summary.get("Created", 0))

    def size(self) -> str:
        return human_size(self._summary.get("Size", 0), 3)

    def containers(self) -> str:
        count = self._summary.get("Containers", -1)
        return "N/A" if count == -1 else str(count)

    def virtual_size(self) -> str:
        return human_size(self._summary.get("Size", 0))

    def shared_size(self) -> str:
        size = self._summary.get("SharedSize", -1)
        return "N/A" if size == -1 else human_size(size)

    def last_used(self) -> str:
        """When a container of it was last made, started or removed; only Boxship knows."""
        used = self._summary.get("LastUsed", 0)
        return since(used, self._now) if used > 0 else "N/A"

    def unique_size(self) -> str:
        size, shared = self._summary.get("Size", -1), self._summary.get("SharedSize", -1)
        return "N/A" if -1 in (size, shared) else human_size(size - shared)


IMAGE: View[ImageView] = View(
    go_type="*formatter.imageContext",
    columns={
        "ID": Column("IMAGE ID", ImageView.id),
        "Repository": Column("REPOSITORY", ImageView.repository),
        "Tag": Column("TAG", ImageView.tag),
        "Digest": Column("DIGEST", ImageView.digest),
        "CreatedSince": Column("CREATED", ImageView.created_since),
        "CreatedAt": Column("CREATED AT", ImageView.created_at),
        "Size": Column("SIZE", ImageView.size),
        "Containers": Column("CONTAINERS", ImageView.containers),
        "VirtualSize": Column("SIZE", ImageView.virtual_size),
        "SharedSize": Column("SHARED SIZE", ImageView.shared_size),
        "UniqueSize": Column("UNIQUE SIZE", ImageView.unique_size),
        "LastUsed": Column("LAST USED", ImageView.last_used),
    },
    methods={},
    unlisted=frozenset({"LastUsed"}),
)


def split_reference(reference: str) -> tuple[str, str, str]:
    """Repository, tag and digest; empty where the reference has none."""
    name, _, digest = reference.partition("@")
    head, separator, tail = name.rpartition(":")
    if separator and "/" not in tail:
        return head, tail, digest
    return name, "", digest


def rows(summary: Mapping[str, Any], *, digests: bool, full: bool) -> Iterator[ImageView]:
    """One row a tag, with its repository's digest where asked for; untagged ones at least one."""
    tags = [ref for ref in summary.get("RepoTags") or () if ref != "<none>:<none>"]
    with_digest = [ref for ref in summary.get("RepoDigests") or () if ref != "<none>@<none>"]
    by_repository: dict[str, tuple[list[str], list[str]]] = {}
    for ref in tags:
        repository, tag, _ = split_reference(ref)
        by_repository.setdefault(repository, ([], []))[0].append(tag)
    for ref in with_digest:
        repository, _, digest = split_reference(ref)
        by_repository.setdefault(repository, ([], []))[1].append(digest)
    if not by_repository:
        yield ImageView(summary, NOTHING, NOTHING, NOTHING, full=full)
    for repository, (names, found) in by_repository.items():
        if not names:
            shown = found if digests else found[:1]
            for digest in shown:
                yield ImageView(summary, repository, NOTHING, digest, full=full)
            continue
        for name in names:
            for digest in (found if digests else found[:1]) or [NOTHING]:
                yield ImageView(summary, repository, name, digest, full=full)
