"""What a file can have, on every way through the store: all of it arrives.

One tree with a file for each thing; GNU tar archives it in each of its formats. Then it is
unpacked, copied for a container (vfs), stacked below others (as overlay2 does with too many
layers), and written as a layer and as an export that are unpacked again. A row of FEATURES is
checked on each way.
"""

import os
import shutil
import stat
import struct
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from boxship.oci.digest import Digest
from boxship.storage.archiving import layer_tar, tree_tar
from boxship.storage.flatten import flatten
from boxship.storage.storage import Storage
from support.tars import Member, tar

pytestmark = [
    pytest.mark.privileged,
    pytest.mark.skipif(shutil.which("tar") is None, reason="GNU tar makes the archives"),
]

EVERYBODY = 0xFFFFFFFF
GIB = 1 << 30


def access_list(*entries: tuple[int, int, int]) -> bytes:
    """An ACL as the kernel has it: tag, permissions, id."""
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)


ACL = access_list(
    (0x01, 7, EVERYBODY), (0x02, 5, 1000), (0x04, 5, EVERYBODY), (0x10, 7, EVERYBODY),
    (0x20, 0, EVERYBODY),
)  # fmt: skip
CAPS_2 = struct.pack("<IIIII", 0x02000001, 1 << 10, 0, 0, 0)
CAPS_3 = struct.pack("<IIIIII", 0x03000001, 1 << 10, 0, 0, 0, 100_000)


def make_tree(place: Path) -> None:
    """A file or directory for each row of FEATURES."""
    for name, mode in (("setuid", 0o4755), ("setgid", 0o2755), ("unreadable", 0)):
        (place / name).write_bytes(b"#!")
        (place / name).chmod(mode)
    for name, mode in (("sticky", 0o1777), ("shared", 0o2775)):
        (place / name).mkdir()
        (place / name).chmod(mode)
    (place / "owned").write_bytes(b"x")
    os.chown(place / "owned", 3_000_000_000, 2_500_000)
    (place / "fraction").write_bytes(b"x")
    (place / "old").write_bytes(b"x")
    (place / "late").write_bytes(b"x")
    (place / "directory").mkdir()
    (place / "directory/child").write_bytes(b"written later than the directory's time")
    (place / "link").symlink_to("../nowhere/" + "long/" * 300)
    os.chown(place / "link", 12, 34, follow_symlinks=False)
    (place / "first").write_bytes(b"one file")
    for name in ("second", "directory/third"):
        os.link(place / "first", place / name)
    os.link(place / "link", place / "linked-link", follow_symlinks=False)
    (place / "noted").write_bytes(b"x")
    os.setxattr(place / "noted", "user.note", b"bytes \0\xff\n=")
    os.setxattr(place / "noted", "user.empty", b"")
    os.setxattr(place / "noted", "trusted.note", b"root's")
    os.setxattr(place / "sticky", "user.note", b"of a directory")
    for name, value in (("caps2", CAPS_2), ("caps3", CAPS_3)):
        (place / name).write_bytes(b"#!")
        os.setxattr(place / name, "security.capability", value)
    (place / "listed").write_bytes(b"x")
    os.setxattr(place / "listed", "system.posix_acl_access", ACL)
    (place / "inherited").mkdir()
    os.setxattr(place / "inherited", "system.posix_acl_default", ACL)
    os.mknod(place / "null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    os.mknod(place / "disk", stat.S_IFBLK | 0o660, os.makedev(259, 70_000))
    os.mkfifo(place / "pipe", 0o622)
    Path(os.fsdecode(os.fsencode(place) + b"/\xff\xfe\x80 \n")).write_bytes(b"no text")
    (place / ("n" * 255)).write_bytes(b"long name")
    deep = place.joinpath(*("d" * 60 for _ in range(12)))
    deep.mkdir(parents=True)
    (deep / "deep").write_bytes(b"x")
    (place / "empty").mkdir()
    make_sparse(place / "holes", 8 << 20)
    make_sparse(place / "hole", 1 << 20, at=())
    for name, moment in (
        ("fraction", 1_350_244_992_023_960_108), ("old", -86_400_250_000_000),
        ("late", 5_000_000_000_000_000_001), ("directory", 1_000_000_000_999_999_999),
    ):  # fmt: skip
        os.utime(place / name, ns=(moment, moment))
    os.utime(place / "link", ns=(7, 77_000_000_500), follow_symlinks=False)
    os.utime(place, ns=(1, 1_111_111_111_111_111_111))


def make_sparse(path: Path, size: int, at: tuple[int, ...] = (0, 1 << 20, 7 << 20)) -> None:
    with path.open("wb") as stream:
        for offset in at:
            stream.seek(offset)
            stream.write(b"data at %d" % offset)
        stream.truncate(size)


Looks = dict[str, object]


def looks(path: Path) -> Looks:
    """Everything that can be seen of a file, but which it is."""
    found = path.lstat()
    attributes = {
        name: os.getxattr(path, name, follow_symlinks=False)
        for name in os.listxattr(path, follow_symlinks=False)
        if not name.startswith(("trusted.overlay.", "security.selinux"))
    }
    is_file = stat.S_ISREG(found.st_mode)
    return {
        "mode": stat.filemode(found.st_mode),
        "owner": (found.st_uid, found.st_gid),
        "time": found.st_mtime_ns,
        "size": 0 if path.is_dir() and not path.is_symlink() else found.st_size,
        "device": found.st_rdev,
        "names": found.st_nlink if not stat.S_ISDIR(found.st_mode) else 0,
        "link": os.readlink(path) if path.is_symlink() else "",
        "attributes": attributes,
        "head": head_of(path) if is_file else b"",
        "sparse": is_file and found.st_blocks * 512 < found.st_size,
    }


def head_of(path: Path) -> bytes:
    with path.open("rb") as stream:
        return stream.read(100)


FEATURES = (
    "setuid", "setgid", "unreadable", "sticky", "shared", "owned", "fraction", "old", "late",
    "directory", "directory/child", "link", "linked-link", "first", "second", "directory/third",
    "noted", "caps2", "caps3", "listed", "inherited", "null", "disk", "pipe",
    "\udcff\udcfe\udc80 \n", "n" * 255, "/".join("d" * 60 for _ in range(12)) + "/deep", "empty",
    "holes", "hole", ".",
)  # fmt: skip
ALIKE = (("first", "second"), ("first", "directory/third"), ("link", "linked-link"))

PAX = ("--format=posix", "--xattrs", "--xattrs-include=*", "--sparse")
FORMATS = {
    "pax, sparse 0.0": (*PAX, "--sparse-version=0.0"),
    "pax, sparse 0.1": (*PAX, "--sparse-version=0.1"),
    "pax, sparse 1.0": (*PAX, "--sparse-version=1.0"),
    "gnu": ("--format=gnu", "--sparse"),
}
WAYS = ("unpacked", "copied", "stacked", "exported", "committed")


class Lab:
    """The tree, and where it went on each way."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.tree = place / "tree"
        self.tree.mkdir()
        make_tree(self.tree)
        self.storage = Storage.open(str(place / "root"), "vfs")
        self.before = {name: looks(self.tree / name) for name in FEATURES}
        self._made: dict[tuple[str, str], Path] = {}

    def archive(self, form: str) -> bytes:
        command = ["tar", "-C", self.tree, *FORMATS[form], "--numeric-owner", "-cf", "-", "."]
        return subprocess.run(command, check=True, capture_output=True).stdout

    def add(self, data: bytes) -> Digest:
        with self.storage.layers.lease() as lease:
            layer = self.storage.layers.unpack([data], lease)
        assert layer.digest == Digest.of(data)
        assert b"".join(self.storage.layers.tar(layer.digest)) == data
        return layer.digest

    def result(self, form: str, way: str) -> Path:
        """Go this way once; return where the tree is in the end."""
        if (form, way) not in self._made:
            self._made[form, way] = getattr(self, f"_{way}")(form)
        return self._made[form, way]

    def _unpacked(self, form: str) -> Path:
        return Path(self.storage.layers.diff_directory(self.add(self.archive(form))))

    def _copied(self, form: str) -> Path:
        layer = Digest("sha256", self.result(form, "unpacked").parent.name)
        self.storage.snapshots.prepare(way := f"copied {form}", [layer])
        return Path(self.storage.snapshots.place(way))

    def _stacked(self, form: str) -> Path:
        """Links would be the very files; with a copy of the layer elsewhere it must copy, too."""
        target = self.place / f"stacked {form}"
        flatten([str(self.result(form, "unpacked"))], str(target), "trusted.overlay.opaque")
        return target

    def _exported(self, form: str) -> Path:
        self.result(form, "copied")
        return self._again(b"".join(tree_tar(self.storage.snapshots, f"copied {form}")))

    def _committed(self, form: str) -> Path:
        """Everything put into a container over an image that has next to nothing."""
        base = self.add(tar(Member("base", b"")))
        key = f"committed {form}"
        self.storage.snapshots.prepare(key, [base])
        place = Path(self.storage.snapshots.place(key))
        source = self.result(form, "unpacked")
        subprocess.run(["cp", "-a", "--preserve=all", f"{source}/.", place], check=True)
        return self._again(b"".join(layer_tar(self.storage.snapshots, key)))

    def _again(self, data: bytes) -> Path:
        return Path(self.storage.layers.diff_directory(self.add(data)))


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    place = Path(tempfile.mkdtemp(prefix="boxship-fidelity-", dir="/var/tmp"))
    made = Lab(place)
    yield made
    made.storage.disposal.settle()
    shutil.rmtree(place)


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("way", WAYS)
def test_every_feature_arrives(lab: Lab, form: str, way: str) -> None:
    place = lab.result(form, way)
    different = {
        name: {key: (value, found[key]) for key, value in wanted.items() if found[key] != value}
        for name in FEATURES
        if (wanted := expected(lab.before[name], name, form, way))
        and (found := looks(place / name)) | wanted != found
    }
    assert different == {}
    for one, other in ALIKE:
        assert os.path.samestat((place / one).lstat(), (place / other).lstat()), one


def expected(before: Looks, name: str, form: str, way: str) -> Looks:
    """Take off what a format has no words for."""
    wanted = dict(before)
    if form == "gnu":
        assert isinstance(wanted["time"], int)
        wanted["time"] = wanted["time"] // 1_000_000_000 * 1_000_000_000
        wanted["attributes"] = {}
        if name == "listed":
            wanted["mode"] = "-rwxrwx---"
    if way in ("exported", "committed"):
        wanted["sparse"] = False  # written out in full, see tar/encoder.py
        if name == ".":
            del wanted["time"]  # such archives begin below the root, as Docker's do
    return wanted


@pytest.mark.parametrize("form", FORMATS)
def test_more_than_four_gibibytes(tmp_path: Path, form: str) -> None:
    """Only with holes: what is written out in full would take its time."""
    (tmp_path / "tree").mkdir()
    make_sparse(tmp_path / "tree/large", 6 * GIB, at=(0, 5 * GIB))
    command = ["tar", "-C", tmp_path / "tree", *FORMATS[form], "-cf", "-", "large"]
    data = subprocess.run(command, check=True, capture_output=True).stdout
    storage = Storage.open(str(tmp_path / "root"), "vfs")
    with storage.layers.lease() as lease:
        layer = storage.layers.unpack([data], lease)
    assert b"".join(storage.layers.tar(layer.digest)) == data
    storage.snapshots.prepare("box", [layer.digest])
    for place in (storage.layers.diff_directory(layer.digest), storage.snapshots.place("box")):
        found = Path(place, "large").stat()
        assert (found.st_size, found.st_blocks < 1000) == (6 * GIB, True)
        with Path(place, "large").open("rb") as stream:
            stream.seek(5 * GIB)
            assert stream.read(20).rstrip(b"\0") == b"data at %d" % (5 * GIB)
