"""From the archive that makes a plugin to its configuration and its layer; without a disk."""

import gzip
import io
import tarfile
from collections.abc import Iterator

import pytest

from boxship.base.errors import InvalidArgumentError
from boxship.engine.managed.packing import Package
from boxship.storage.layers import plain


def archive(*names: str, prefix: str = "", **special: tuple[bytes, str]) -> bytes:
    """A tar of files that hold their names; ``special`` are entries of a type, with a link."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as writing:
        for name in names:
            info = tarfile.TarInfo(prefix + name)
            if name.endswith("/"):
                info.type = tarfile.DIRTYPE
                writing.addfile(info)
                continue
            info.size = len(name)
            writing.addfile(info, io.BytesIO(name.encode()))
        for name, (kind, link) in special.items():
            info = tarfile.TarInfo(f"rootfs/{name}")
            info.type, info.linkname = kind, link
            writing.addfile(info)
    return made.getvalue()


def pieces(data: bytes) -> Iterator[bytes]:
    for start in range(0, len(data), 1000):
        yield data[start : start + 1000]


def packed(data: bytes) -> tuple[bytes | None, dict[str, tuple[bytes, str]]]:
    with plain(pieces(data)) as chunks:
        package = Package(chunks)
        layer = b"".join(bytes(piece) for piece in package.layer())
    with tarfile.open(fileobj=io.BytesIO(layer)) as reading:
        found = {m.name: (m.type, m.linkname) for m in reading}
    return package.config, found


@pytest.mark.parametrize("prefix", ["", "./"])
@pytest.mark.parametrize("compressed", [False, True])
def test_the_layer_is_what_is_in_rootfs(prefix: str, compressed: bool) -> None:
    names = ("rootfs/", "rootfs/bin/", "rootfs/bin/p", "config.json", "README", "rootfs2/x")
    hard = {"same": (tarfile.LNKTYPE, "rootfs/bin/p"), "soft": (tarfile.SYMTYPE, "rootfs/x")}
    data = archive(*names, prefix=prefix, **hard)
    config, layer = packed(gzip.compress(data) if compressed else data)
    assert config == b"config.json"
    assert layer == {
        "bin": (tarfile.DIRTYPE, ""),
        "bin/p": (tarfile.REGTYPE, ""),
        "same": (tarfile.LNKTYPE, "bin/p"),
        "soft": (tarfile.SYMTYPE, "rootfs/x"),
    }


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (archive("rootfs/"), "config not found"),
        (archive("config.json"), "no rootfs found"),
        (archive("config.json", "rootfs/x")[:1400], "failed to read from tar"),
        (b"x" * 2000, "failed to read from tar"),
        (gzip.compress(archive("config.json", "rootfs/"))[:30], "failed to read from tar"),
        (b"", "config not found"),
    ],
)
def test_what_is_no_plugin_is_named(data: bytes, told: str) -> None:
    with pytest.raises(InvalidArgumentError, match=told):
        packed(data)
