"""Docker's own daemon and skopeo agree with us: ids, sizes, files on disk, archives both ways."""

import json
import os
import stat
import struct
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from boxship.oci.digest import Digest
from support.dockerd import Dockerd
from support.programs import needs, required
from support.shop import Shop, docker_archive, files_of, run, sample
from support.tars import Member, directory, hard_link, symlink, tar

pytestmark = [
    pytest.mark.privileged,
    needs("dockerd"),
]

FINE = {"mtime": "1350244992.023960108"}
CAPABILITY = struct.pack("<IIIII", 0x02000001, 1 << 10, 0, 0, 0).decode("latin-1")
CAPABILITY_3 = struct.pack("<IIIIII", 0x03000001, 1 << 10, 0, 0, 0, 70_000).decode("latin-1")
ACL = (
    struct.pack("<I", 2)
    + b"".join(
        struct.pack("<HHI", *entry)
        for entry in (
            (1, 7, 2**32 - 1),
            (2, 5, 100),
            (4, 5, 2**32 - 1),
            (16, 7, 2**32 - 1),
            (32, 0, 2**32 - 1),
        )
    )
).decode("utf-8", "surrogateescape")
LOWER = tar(
    directory("etc", mode=0o700, uid=5, gid=6, pax=FINE),
    Member("etc/a", b"low" * 1000, mode=0o6755, uid=1000, gid=2000, pax=FINE),
    Member("etc/caps", b"x", pax={"SCHILY.xattr.security.capability": CAPABILITY}),
    Member("etc/attributes", b"x", pax={"SCHILY.xattr.user.note": "text"}),
    symlink("etc/link", "../../far/away", pax=FINE),
    symlink("lib", "usr/lib"),
    directory("usr/lib"),
    Member("lib/through-a-link", b"1"),
    Member("no/parents/above", b"2"),
    hard_link("etc/b", "etc/a"),
    Member("dev/null", type=tarfile.CHRTYPE, device=(1, 3), mode=0o666),
    Member("dev/pipe", type=tarfile.FIFOTYPE, mode=0o600),
    directory("gone"),
    Member("gone/x", b"x"),
    directory("var"),
    Member("var/old", b"x"),
    Member("long/" * 40 + "name", b"deep"),
    Member("owned", b"x", uid=3_000_000_000, gid=2_500_000, pax={"mtime": "-86400.25"}),
    Member("caps3", b"x", pax={"SCHILY.xattr.security.capability": CAPABILITY_3}),
    Member("listed", b"x", pax={"SCHILY.xattr.system.posix_acl_access": ACL}),
    directory("inherited", pax={"SCHILY.xattr.system.posix_acl_default": ACL}),
    directory("sticky", mode=0o3777, pax=FINE),
    Member("sticky/child", b"written after it"),
    Member("disk", type=tarfile.BLKTYPE, device=(259, 70_000), mode=0o660),
    symlink("far", "x" * 1000, uid=77),
    Member("origin", b"first"),
    hard_link("kept", "origin"),
    Member("hidden", b"linked before"),
    hard_link("visible", "hidden"),
    Member("s" * 200 + "/" + "t" * 250, b"long in both parts"),
)
UPPER = tar(
    Member("etc/.wh.a"),
    Member(".wh.hidden"),
    Member(".wh.gone"),
    directory("var", mode=0o755),
    Member("var/.wh..wh..opq"),
    Member("var/new", b"new"),
    Member("\udcffname", b"not utf-8"),
    format=tarfile.GNU_FORMAT,
)
IMAGE = sample(LOWER, UPPER, Env=["A=b"], Labels={"x": "y"}, ExposedPorts={"80/tcp": {}})


@pytest.fixture(scope="module")
def dockerd() -> Iterator[Dockerd]:
    with Dockerd() as engine:
        yield engine


@pytest.fixture
def inspected(dockerd: Dockerd, tmp_path: Path) -> dict[str, object]:
    """What dockerd says of the image."""
    path = tmp_path / "image.tar"
    path.write_bytes(docker_archive((IMAGE, ["app:1", "quay.io/app:2"])))
    dockerd.docker("load", "-i", str(path))
    (found,) = json.loads(dockerd.docker("image", "inspect", "app:1"))
    assert isinstance(found, dict)
    return found


def test_inspect_agrees(inspected: dict[str, object], shop: Shop) -> None:
    shop.load(docker_archive((IMAGE, ["app:1", "quay.io/app:2"])))
    ours = shop.images.inspect("app:1")
    assert inspected["Id"] == ours.id
    assert inspected["RepoTags"] == list(ours.tags)
    assert inspected["RootFS"] == {"Type": "layers", "Layers": list(ours.layers)}
    assert inspected["Size"] == ours.size
    assert inspected["Created"] == ours.created


def snapshot_of(tree: bytes) -> dict[bytes, object]:
    """Everything about every file below a directory."""
    found: dict[bytes, object] = {}
    for top, directories, files in os.walk(tree):
        for name in directories + files:
            path = os.path.join(top, name)
            info = os.lstat(path)
            content: object = None
            if stat.S_ISREG(info.st_mode):
                content = Path(os.fsdecode(path)).read_bytes()
            elif stat.S_ISLNK(info.st_mode):
                content = os.readlink(path)
            names = os.listxattr(path, follow_symlinks=False)
            found[path[len(tree) :]] = (
                info.st_mode, info.st_uid, info.st_gid, info.st_rdev, info.st_nlink * info.st_mode,
                content, {name: os.getxattr(path, name, follow_symlinks=False) for name in names},
            )  # fmt: skip
    return found


def times_of(tree: bytes, names: list[str]) -> list[int]:
    return [os.lstat(os.path.join(tree, name.encode())).st_mtime_ns for name in names]


def test_the_files_on_disk_agree(inspected: dict[str, object], shop: Shop) -> None:
    """dockerd's overlay2 directories and ours hold the same, whiteouts included."""
    shop.load(docker_archive((IMAGE, [])))
    driver = inspected["GraphDriver"]
    assert isinstance(driver, dict)
    theirs = [driver["Data"]["LowerDir"], driver["Data"]["UpperDir"]]
    ours = [shop.storage.layers.diff_directory(Digest.of(layer)) for layer in IMAGE.layers]
    for their, our in zip(theirs, ours, strict=True):
        assert snapshot_of(their.encode()) == snapshot_of(our.encode())
    names = ["etc", "etc/a", "etc/link", "sticky"]  # before 1970, dockerd writes 1970
    assert times_of(theirs[0].encode(), names) == times_of(ours[0].encode(), names)


def test_what_we_save_dockerd_loads_and_saves_alike(
    dockerd: Dockerd, shop: Shop, tmp_path: Path
) -> None:
    shop.load(docker_archive((IMAGE, ["mine:1", "mine:2"])))
    saved = tmp_path / "ours.tar"
    saved.write_bytes(shop.save("mine"))
    told = dockerd.docker("load", "-i", str(saved))
    assert sorted(told.splitlines()) == ["Loaded image: mine:1", "Loaded image: mine:2"]
    assert dockerd.docker("image", "inspect", "-f", "{{.Id}}", "mine:2") == IMAGE.id

    dockerd.docker("save", "-o", str(tmp_path / "theirs.tar"), "mine:1")
    theirs = (tmp_path / "theirs.tar").read_bytes()
    assert LOWER in files_of(theirs).values()
    run(shop.images.remove(IMAGE.id, force=True))
    assert shop.loaded(theirs) == [(IMAGE.id, "mine:1")]
    assert shop.images.inspect("mine:1").config_json == IMAGE.config


def test_what_dockerd_imports_we_take(dockerd: Dockerd, shop: Shop, tmp_path: Path) -> None:
    (tmp_path / "tree.tar").write_bytes(LOWER)
    dockerd.docker("import", "-c", "CMD sh", str(tmp_path / "tree.tar"), "imported:1")
    theirs = dockerd.docker("image", "inspect", "-f", "{{.Id}}", "imported:1")
    dockerd.docker("save", "-o", str(tmp_path / "theirs.tar"), "imported:1")
    assert shop.loaded((tmp_path / "theirs.tar").read_bytes()) == [(theirs, "imported:1")]
    assert shop.images.inspect("imported:1").config.cmd == ("/bin/sh", "-c", "sh")


@pytest.mark.parametrize("transport", ["docker-archive:{}:mine:1", "oci-archive:{}:1"])
def test_skopeo_reads_what_we_save(shop: Shop, tmp_path: Path, transport: str) -> None:
    required("skopeo")
    shop.load(docker_archive((IMAGE, ["mine:1"])))
    (tmp_path / "ours.tar").write_bytes(shop.save("mine:1"))
    name = transport.format(tmp_path / "ours.tar")
    command = ["skopeo", "inspect", "--config", "--raw", name]
    done = subprocess.run(command, capture_output=True, check=True)
    assert done.stdout.strip() == IMAGE.config
