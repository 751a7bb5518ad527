"""The image around the layer: its config, and an archive that every engine loads.

The config says what went in, so that somebody who has the image can make it again, and nothing
about when and where it was made.
"""

import hashlib
import io
import json
import os
import tarfile
from collections.abc import Iterator
from datetime import UTC, datetime

from boxship.bootstrap.resolving import Selection
from boxship.bootstrap.wish import Wish
from boxship.oci.digest import Digest
from boxship.oci.image import History, Image, ImageConfig, RootFS, encode

_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_PIECE = 1 << 20
_LABEL = "org.boxship.bootstrap"


def image_config(wish: Wish, chosen: Selection, diff_id: Digest, epoch: int) -> bytes:
    """Write the config document; its digest is the image's id."""
    created = datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    target = wish.target
    labels = {
        f"{_LABEL}.packages": _package_list(chosen),
        f"{_LABEL}.sources": "\n".join(source.line for source in target.sources),
        f"{_LABEL}.variant": wish.variant,
    }
    if wish.include:
        labels[f"{_LABEL}.include"] = " ".join(sorted(set(wish.include)))
    return encode(
        Image(
            architecture=wish.platform.architecture,
            os=wish.platform.os,
            variant=wish.platform.variant,
            created=created,
            config=ImageConfig(env=(_PATH,), cmd=("bash",), labels=labels),
            rootfs=RootFS(diff_ids=(str(diff_id),)),
            history=(
                History(
                    created,
                    created_by=f"boxship image bootstrap --variant {wish.variant} "
                    f"{target.distribution.name}:{target.suite}",
                    comment=f"{len(chosen.all)} packages",
                ),
            ),
        )
    )


def _package_list(chosen: Selection) -> str:
    """The digest of the sorted list of packages: alike for those made of the same files."""
    lines = sorted(
        f"{package.name} {package.version} {package.architecture} {package.sha256}\n"
        for package in chosen.all
    )
    return f"sha256:{hashlib.sha256(''.join(lines).encode()).hexdigest()}"


def load_archive(config: bytes, layer: str, name: str) -> Iterator[bytes]:
    """Write a ``docker save`` archive of one image with one layer."""
    config_name = f"{Digest.of(config).hex}.json"
    manifest = [{"Config": config_name, "RepoTags": [name], "Layers": ["layer.tar"]}]
    entry = tarfile.TarInfo("layer.tar")
    entry.size = os.path.getsize(layer)
    yield entry.tobuf()
    with open(layer, "rb") as stream:
        while piece := stream.read(_PIECE):
            yield piece
    yield bytes(-entry.size % tarfile.BLOCKSIZE)
    rest = io.BytesIO()
    with tarfile.open(fileobj=rest, mode="w") as out:
        documents = ((config_name, config), ("manifest.json", json.dumps(manifest).encode()))
        for document, content in documents:
            entry = tarfile.TarInfo(document)
            entry.size = len(content)
            out.addfile(entry, io.BytesIO(content))
    yield rest.getvalue()
