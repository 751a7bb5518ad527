"""``image ls --tree``: names, and below each the platforms that its index has.

::

    IMAGE                    ID             DISK USAGE   CONTENT SIZE   IN USE
    debian:bookworm          0a1b2c3d4e5f        117MB         1.92kB   yes
    ├─ linux/amd64           7a8b9c0d1e2f        117MB         1.92kB   yes
    └─ linux/arm64           5e6f7a8b9c0d           0B             0B
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from boxship.cli.format.images import NOTHING, short_image_id
from boxship.cli.format.sizes import human_size
from boxship.cli.format.tabwriter import align

_HEADER = ("IMAGE", "ID", "DISK USAGE", "CONTENT SIZE", "IN USE")
_ATTESTATION = "attestation"


def tree(summaries: Iterable[Mapping[str, Any]], *, full: bool) -> str:
    """Draw the list of images (``GET /images/json?manifests=1``); platforms not here have 0B."""
    rows: list[tuple[str, ...]] = [_HEADER]
    for summary in summaries:
        rows += _rows(summary, full=full)
    return align("\n".join("\t".join(row) for row in rows) + "\n", minimum=0, padding=3)


def _rows(summary: Mapping[str, Any], *, full: bool) -> Iterator[tuple[str, ...]]:
    manifests = [m for m in summary.get("Manifests") or () if m["Kind"] != _ATTESTATION]
    names = summary.get("RepoTags") or (NOTHING,)
    used = summary.get("Containers", 0) > 0 or any(map(_containers, manifests))
    content = sum(manifest["Size"]["Content"] for manifest in manifests)
    unpacked = sum(map(_unpacked, manifests)) or summary.get("Size", 0)
    for name in names[:-1]:
        yield name, "", "", "", ""
    yield _row(names[-1], _id(summary["Id"], full), unpacked + content, content, used)
    for number, manifest in enumerate(manifests):
        branch = "└─" if number == len(manifests) - 1 else "├─"
        yield _row(
            f"{branch} {_platform(manifest)}",
            _id(manifest["ID"], full),
            manifest["Size"]["Total"],
            manifest["Size"]["Content"],
            bool(_containers(manifest)),
        )


def _row(name: str, identifier: str, total: int, content: int, used: bool) -> tuple[str, ...]:
    return name, identifier, human_size(total, 3), human_size(content, 3), "yes" if used else ""


def _id(identifier: str, full: bool) -> str:
    return identifier if full else short_image_id(identifier)


def _platform(manifest: Mapping[str, Any]) -> str:
    of = (manifest.get("ImageData") or {}).get("Platform") or {}
    parts = (of.get("os"), of.get("architecture"), of.get("variant"))
    return "/".join(filter(None, parts)) or "unknown"


def _containers(manifest: Mapping[str, Any]) -> list[str]:
    return (manifest.get("ImageData") or {}).get("Containers") or []


def _unpacked(manifest: Mapping[str, Any]) -> int:
    size: int = ((manifest.get("ImageData") or {}).get("Size") or {}).get("Unpacked", 0)
    return size
