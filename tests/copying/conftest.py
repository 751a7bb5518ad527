"""Small images as OCI layouts, written by hand."""

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from boxship.copying.opening import Doors, Ends
from boxship.copying.places import parse_place
from boxship.copying.plan import Choice
from boxship.copying.transfer import copy
from boxship.distribution.registries import Registries
from boxship.distribution.settings import RegistrySettings
from boxship.oci.platform import Platform

AMD64 = Platform("linux", "amd64")
OCI = "application/vnd.oci.image"


class Layout:
    """An OCI layout to put images into."""

    def __init__(self, path: Path) -> None:
        self.path = path
        (path / "blobs/sha256").mkdir(parents=True)
        (path / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
        self.index([])

    def blob(self, data: bytes, media_type: str, **more: object) -> dict[str, Any]:
        digest = hashlib.sha256(data).hexdigest()
        (self.path / "blobs/sha256" / digest).write_bytes(data)
        size = len(data)
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": size, **more}

    def image(self, content: str, architecture: str = "amd64", *, packed: bool = True) -> Any:
        """An image of one layer; the spaces in its documents show that nobody writes them anew."""
        layer = io.BytesIO()
        with tarfile.open(fileobj=layer, mode="w") as out:
            entry = tarfile.TarInfo("file")
            entry.size = len(content)
            out.addfile(entry, io.BytesIO(content.encode()))
        plain = layer.getvalue()
        config = {
            "architecture": architecture,
            "os": "linux",
            "rootfs": {
                "type": "layers",
                "diff_ids": [f"sha256:{hashlib.sha256(plain).hexdigest()}"],
            },
            "x-unknown": content,
        }
        data = gzip.compress(plain, mtime=0) if packed else plain
        suffix = "+gzip" if packed else ""
        manifest = {
            "schemaVersion": 2,
            "mediaType": f"{OCI}.manifest.v1+json",
            "config": self.blob(json.dumps(config, indent=1).encode(), f"{OCI}.config.v1+json"),
            "layers": [self.blob(data, f"{OCI}.layer.v1.tar{suffix}")],
            "annotations": {"kept": "yes"},
        }
        return self.blob(
            json.dumps(manifest, indent=3).encode(),
            f"{OCI}.manifest.v1+json",
            platform={"os": "linux", "architecture": architecture},
        )

    def list_of(self, *manifests: Mapping[str, Any]) -> Any:
        document = {"schemaVersion": 2, "manifests": list(manifests), "annotations": {"a": "b"}}
        return self.blob(json.dumps(document, indent=2).encode(), f"{OCI}.index.v1+json")

    def index(self, descriptors: list[Any]) -> None:
        (self.path / "index.json").write_text(
            json.dumps({"schemaVersion": 2, "manifests": descriptors})
        )

    def name(self, **images: Any) -> "Layout":
        key = "org.opencontainers.image.ref.name"
        self.index([{**one, "annotations": {key: tag}} for tag, one in images.items()])
        return self

    def blobs(self) -> set[str]:
        return {path.name for path in (self.path / "blobs/sha256").iterdir()}

    def named(self) -> dict[str, str]:
        listed = json.loads((self.path / "index.json").read_text())["manifests"]
        key = "org.opencontainers.image.ref.name"
        return {(one.get("annotations") or {}).get(key, ""): one["digest"] for one in listed}


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "layout")


@pytest.fixture
def existing(tmp_path: Path) -> Callable[[str], Layout]:
    def find(name: str) -> Layout:
        found = Layout.__new__(Layout)
        found.path = tmp_path / name
        return found

    return find


Copy = Callable[..., list[str]]


@pytest.fixture
def copied() -> Copy:
    """Copy from one place to another; what was told, a line each, the digest last."""

    def run(
        source: str, destination: str, *, wanted: Platform | None = None, everything: bool = False
    ) -> list[str]:
        registries = Registries(RegistrySettings(), "test")

        def no_engine(_: object) -> Any:
            raise AssertionError("no engine is asked here")

        doors = Doors(no_engine, registries, lambda _: None)
        ends = Ends(parse_place(source), parse_place(destination), doors)
        try:
            messages = list(copy(ends, Choice(AMD64, wanted, all=everything)))
        finally:
            registries.close()
        *told, last = messages
        lines = [f"{one['id']}: {one['status']}" for one in told]
        return [*dict.fromkeys(lines), last["status"].removeprefix("Digest: ")]

    return run
