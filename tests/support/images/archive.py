"""Writes images as `docker save` archives, byte for byte the same for the same input.

manifest.json          [{"Config": "<image id>.json", "RepoTags": […], "Layers": [path, …]}]
<image id>.json        the image's configuration; its SHA-256 is the image's id
<diff id>/layer.tar    one uncompressed layer; its SHA-256 is the diff id
"""

import hashlib
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

EPOCH = (
    1_704_067_200  # 2024-01-01: every date in every image, so that a rebuild gives the same bytes
)
CREATED = "2024-01-01T00:00:00Z"


@dataclass(frozen=True)
class Layer:
    """A layer's tar file, and the line that `docker history` shows for it."""

    tar: Path
    created_by: str


@dataclass(frozen=True)
class Setting:
    """A line of history that changed the configuration alone."""

    created_by: str


@dataclass(frozen=True)
class Image:
    tags: tuple[str, ...]
    steps: tuple[Layer | Setting, ...]
    config: Mapping[str, object] = field(default_factory=dict)
    architecture: str = "amd64"

    @property
    def layers(self) -> tuple[Layer, ...]:
        return tuple(step for step in self.steps if isinstance(step, Layer))


def write(image: Image, destination: Path) -> None:
    """Write `image` to `destination`."""
    diff_ids = [_sha256(layer.tar) for layer in image.layers]
    config = _dump(
        {
            "architecture": image.architecture,
            "config": dict(image.config),
            "created": CREATED,
            "history": [_history(step) for step in image.steps],
            "os": "linux",
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{one}" for one in diff_ids]},
        }
    )
    config_name = f"{hashlib.sha256(config).hexdigest()}.json"
    paths = [f"{diff_id}/layer.tar" for diff_id in diff_ids]
    manifest = [{"Config": config_name, "RepoTags": list(image.tags), "Layers": paths}]
    with tarfile.open(destination, "w", format=tarfile.PAX_FORMAT) as out:
        for path, layer in zip(paths, image.layers, strict=True):
            _add_file(out, path, layer.tar)
        _add_bytes(out, config_name, config)
        _add_bytes(out, "manifest.json", _dump(manifest))


def directory(name: str, mode: int = 0o755) -> tarfile.TarInfo:
    """A directory entry, as the writers of layers use it."""
    entry = _entry(name, 0, mode)
    entry.type = tarfile.DIRTYPE
    return entry


def link(name: str, target: str, *, hard: bool = False) -> tarfile.TarInfo:
    entry = _entry(name, 0, 0o777)
    entry.type = tarfile.LNKTYPE if hard else tarfile.SYMTYPE
    entry.linkname = target
    return entry


def write_layer(destination: Path, entries: Sequence[tuple[tarfile.TarInfo, bytes]]) -> None:
    """Write a layer held in memory."""
    with tarfile.open(destination, "w", format=tarfile.PAX_FORMAT) as out:
        for entry, data in entries:
            out.addfile(entry, io.BytesIO(data) if entry.isreg() else None)


def file(name: str, data: bytes, mode: int = 0o644) -> tuple[tarfile.TarInfo, bytes]:
    return _entry(name, len(data), mode), data


def _entry(name: str, size: int, mode: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode, entry.mtime = size, mode, EPOCH
    entry.uname = entry.gname = "root"
    return entry


def _history(step: Layer | Setting) -> dict[str, object]:
    line: dict[str, object] = {"created": CREATED, "created_by": step.created_by}
    if isinstance(step, Setting):
        line["empty_layer"] = True
    return line


def _dump(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _add_file(out: tarfile.TarFile, name: str, path: Path) -> None:
    with path.open("rb") as stream:
        out.addfile(_entry(name, path.stat().st_size, 0o644), stream)


def _add_bytes(out: tarfile.TarFile, name: str, data: bytes) -> None:
    out.addfile(_entry(name, len(data), 0o644), io.BytesIO(data))
