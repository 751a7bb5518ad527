"""Unpacking: attributes as in the archive, whiteouts as overlayfs wants them, no way out."""

import os
import stat
import struct
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from boxship.oci.digest import Digest
from boxship.storage.layers import Layer, LayerStore, MalformedLayerError
from boxship.storage.rights import Rights
from boxship.storage.root import StorageRoot
from boxship.storage.storage import Storage
from support.tars import Member, directory, hard_link, symlink, tar

pytestmark = pytest.mark.privileged

# CAP_NET_BIND_SERVICE, permitted and effective, revision 2.
OPAQUE_XATTR = Rights().opaque
CAPABILITY = struct.pack("<IIIII", 0x02000001, 1 << 10, 0, 0, 0)

Unpack = Callable[[bytes], Path]


@pytest.fixture
def root(tmp_path: Path) -> StorageRoot:
    return StorageRoot(str(tmp_path / "root"))


@pytest.fixture
def layers(root: StorageRoot) -> LayerStore:
    return Storage.open(root.path).layers


def add(layers: LayerStore, data: bytes) -> Layer:
    """Unpack, and check that the archive comes back to the byte."""
    with layers.lease() as lease:
        layer = layers.unpack([data], lease)
    assert b"".join(layers.tar(layer.digest)) == data
    assert layer.digest == Digest.of(data)
    return layer


@pytest.fixture
def unpack(layers: LayerStore) -> Unpack:
    return lambda data: Path(layers.diff_directory(add(layers, data).digest))


def is_whiteout(path: Path) -> bool:
    found = path.lstat()
    return stat.S_ISCHR(found.st_mode) and found.st_rdev == 0


def opaque(path: Path) -> bool:
    return OPAQUE_XATTR in os.listxattr(path) and os.getxattr(path, OPAQUE_XATTR) == b"y"


def test_attributes_are_those_of_the_archive(unpack: Unpack) -> None:
    times = {"mtime": "1350244992.023960108"}
    caps = {**times, "SCHILY.xattr.security.capability": CAPABILITY.decode("latin-1")}
    tree = unpack(
        tar(
            directory("d", mode=0o1777, uid=10, gid=20, pax=times),
            Member("d/suid", b"#!", mode=0o6755, uid=1000, gid=2000, pax=times),
            Member("d/caps", b"#!", mode=0o755, uid=33, pax=caps),
            symlink("d/link", "/nowhere", uid=5, gid=6, pax=times),
            Member("d/null", type=tarfile.CHRTYPE, device=(1, 3), mode=0o666, uid=7, pax=times),
            Member("d/disk", type=tarfile.BLKTYPE, device=(7, 200), mode=0o660, gid=8),
            Member("d/fifo", type=tarfile.FIFOTYPE, mode=0o622),
            Member("late", b"after the directory"),
        )
    )
    suid = (tree / "d/suid").stat()
    assert (suid.st_mode, suid.st_uid, suid.st_gid) == (0o106755, 1000, 2000)
    for name in ("d", "d/suid", "d/caps", "d/link", "d/null"):
        assert (tree / name).lstat().st_mtime_ns == 1_350_244_992_023_960_108, name
    top = (tree / "d").stat()
    assert (top.st_mode, top.st_uid, top.st_gid) == (0o041777, 10, 20)
    assert os.getxattr(tree / "d/caps", "security.capability") == CAPABILITY
    link = (tree / "d/link").lstat()
    assert (os.readlink(tree / "d/link"), link.st_uid, link.st_gid) == ("/nowhere", 5, 6)
    null, disk = (tree / "d/null").stat(), (tree / "d/disk").stat()
    assert (null.st_mode, null.st_rdev, null.st_uid) == (0o020666, os.makedev(1, 3), 7)
    assert (disk.st_mode, disk.st_rdev, disk.st_gid) == (0o060660, os.makedev(7, 200), 8)
    assert (tree / "d/fifo").stat().st_mode == 0o010622


def test_the_root_entry_sets_the_root(unpack: Unpack) -> None:
    found = unpack(tar(directory("./", mode=0o700, uid=3, gid=4), Member("./x", b"1"))).stat()
    assert (stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid) == (0o700, 3, 4)


def test_hard_links_share_one_file(unpack: Unpack) -> None:
    caps = {"SCHILY.xattr.security.capability": CAPABILITY.decode("latin-1")}
    tree = unpack(tar(Member("a", b"one", pax=caps), hard_link("b", "a"), hard_link("c/d", "./b")))
    assert {(tree / name).stat().st_ino for name in ("a", "b", "c/d")} == {
        (tree / "a").stat().st_ino
    }
    assert os.getxattr(tree / "a", "security.capability") == CAPABILITY


def test_names_that_are_not_utf8(unpack: Unpack) -> None:
    data = tar(Member("\udcff\udcfe", b"x"), format=tarfile.GNU_FORMAT)
    assert os.listdir(os.fsencode(unpack(data))) == [b"\xff\xfe"]


def test_sparse_files_keep_their_holes(unpack: Unpack) -> None:
    records = {
        "GNU.sparse.major": "0", "GNU.sparse.minor": "1", "GNU.sparse.name": "holes",
        "GNU.sparse.size": str(64 << 20), "GNU.sparse.map": f"1048576,4,{(64 << 20) - 2},2",
    }  # fmt: skip
    path = unpack(tar(Member("x", b"abcdef", pax=records))) / "holes"
    assert path.stat().st_size == 64 << 20
    assert path.stat().st_blocks * 512 < 1 << 20
    with path.open("rb") as stream:
        stream.seek(1 << 20)
        assert stream.read(5) == b"abcd\0"
        stream.seek(-3, os.SEEK_END)
        assert stream.read() == b"\0ef"


def test_whiteouts_become_overlays(unpack: Unpack) -> None:
    tree = unpack(
        tar(
            directory("etc"),
            Member("etc/.wh.gone"),
            directory("var"),
            Member("var/.wh..wh..opq"),
            Member("usr/.wh..wh..plnk/1", b""),
        )
    )
    assert is_whiteout(tree / "etc/gone")
    assert opaque(tree / "var")
    assert sorted(os.listdir(tree / "etc")) == ["gone"]


def test_a_whiteout_speaks_of_the_layers_below_only(unpack: Unpack) -> None:
    tree = unpack(
        tar(
            Member(".wh.file"), Member("file", b"new"),
            Member("kept", b"new"), Member(".wh.kept"),
            Member(".wh.dir"), directory("dir"), Member("dir/x", b"1"),
            directory("dir2"), Member("dir2/x", b"1"), Member(".wh.dir2"),
        )
    )  # fmt: skip
    assert (tree / "file").read_bytes() == (tree / "kept").read_bytes() == b"new"
    assert opaque(tree / "dir")
    assert opaque(tree / "dir2")
    assert (tree / "dir2/x").read_bytes() == b"1"


@pytest.mark.parametrize("name", [".wh.", ".wh..", ".wh..."])
def test_whiteouts_of_nothing_are_refused(unpack: Unpack, name: str) -> None:
    with pytest.raises(MalformedLayerError):
        unpack(tar(Member(f"d/{name}")))


def test_later_entries_replace_earlier_ones_and_the_archive_still_comes_back(
    unpack: Unpack,
) -> None:
    tree = unpack(
        tar(
            Member("twice", b"first"), Member("twice", b"second, longer"),
            directory("d"), Member("d/deep", b"in a directory"), Member("d/sub/deeper", b"x" * 700),
            Member("d", b"now a file"),
            symlink("s", "twice"), Member("s", b"now a file too"),
            Member("f", b"now a directory"), directory("f"), Member("f/x", b"1"),
            directory("kept", mode=0o700), Member("kept/x", b"1"), directory("kept", mode=0o711),
            Member("n", b"1"), Member("n", b"2"), Member("n", b"3"),
        )
    )  # fmt: skip
    assert (tree / "twice").read_bytes() == b"second, longer"
    assert (tree / "d").read_bytes() == b"now a file"
    assert (tree / "s").read_bytes() == b"now a file too"
    assert not (tree / "s").is_symlink()
    assert (tree / "f/x").read_bytes() == b"1"
    assert (tree / "kept/x").read_bytes() == b"1"
    assert stat.S_IMODE((tree / "kept").stat().st_mode) == 0o711
    assert (tree / "n").read_bytes() == b"3"


def test_sizes_count_as_dockers_do(layers: LayerStore) -> None:
    members = [Member("a", b"x" * 1000), hard_link("b", "a"), symlink("c", "12345"), directory("d")]
    assert add(layers, tar(*members)).size == 1005
    assert add(layers, tar(*members, Member("a", b"replaces"))).size == 1000 + 8 + 5


class TestAttacks:
    """Every one of these tries to read or write `victim`, beside the store."""

    @pytest.fixture
    def victim(self, tmp_path: Path) -> Path:
        (tmp_path / "victim").mkdir(mode=0o755)
        (tmp_path / "victim/secret").write_text("untouched")
        os.utime(tmp_path / "victim", ns=(1, 1))
        return tmp_path / "victim"

    @pytest.fixture(autouse=True)
    def unharmed(self, victim: Path) -> object:
        yield
        assert os.listdir(victim) == ["secret"]
        assert (victim / "secret").read_text() == "untouched"
        assert (victim / "secret").stat().st_nlink == 1
        assert stat.S_IMODE(victim.stat().st_mode) == 0o755
        assert victim.stat().st_mtime_ns == 1

    @pytest.mark.parametrize("name", ["../victim/x", "a/../../victim/x", "/../victim/x"])
    def test_dots(self, unpack: Unpack, name: str) -> None:
        with pytest.raises(MalformedLayerError, match="outside"):
            unpack(tar(Member(name, b"x")))

    def test_absolute_names_are_inside(self, unpack: Unpack, victim: Path) -> None:
        tree = unpack(tar(Member(f"{victim}/x", b"x")))
        assert (tree / str(victim / "x")[1:]).read_bytes() == b"x"

    @pytest.mark.parametrize("up", [True, False])
    def test_through_a_link_to_a_directory(self, unpack: Unpack, victim: Path, up: bool) -> None:
        target = "../" * 20 + str(victim)[1:] if up else str(victim)
        inside = str(victim)[1:]
        tree = unpack(
            tar(
                directory(inside),
                symlink("way", target),
                Member("way/x", b"x"),
                directory("way/d", mode=0o777),
                Member("way/.wh.secret"),
                Member("way/.wh..wh..opq"),
            )
        )
        assert (tree / inside / "x").read_bytes() == b"x"
        assert is_whiteout(tree / inside / "secret")

    def test_dangling_links_are_not_followed(self, unpack: Unpack, victim: Path) -> None:
        with pytest.raises(MalformedLayerError, match="way/x"):
            unpack(tar(symlink("way", str(victim)), Member("way/x", b"x")))

    def test_file_over_a_link_replaces_the_link(self, unpack: Unpack, victim: Path) -> None:
        tree = unpack(tar(symlink("way", f"{victim}/secret"), Member("way", b"mine")))
        assert (tree / "way").read_bytes() == b"mine"

    def test_directory_over_a_link_replaces_the_link(self, unpack: Unpack, victim: Path) -> None:
        tree = unpack(tar(symlink("way", str(victim)), directory("way"), Member("way/x", b"x")))
        assert (tree / "way/x").read_bytes() == b"x"

    def test_a_known_directory_swapped_for_a_link(self, unpack: Unpack, victim: Path) -> None:
        """The parent's descriptor is cached, its time is still to be set: neither may follow."""
        with pytest.raises(MalformedLayerError, match="d/sub/y"):
            unpack(
                tar(
                    directory("d/sub", mode=0o700),
                    Member("d/sub/x", b"x"),
                    symlink("d/sub", str(victim)),
                    Member("d/sub/y", b"x"),
                )
            )
        unpack(tar(directory("d/sub", mode=0o700), symlink("d/sub", str(victim))))

    @pytest.mark.parametrize("target", ["{}/secret", "../../../../../..{}/secret", "way/secret"])
    def test_hard_link_to_the_outside(self, unpack: Unpack, victim: Path, target: str) -> None:
        members = [symlink("way", str(victim)), hard_link("mine", target.format(victim))]
        with pytest.raises(MalformedLayerError):
            unpack(tar(*members))

    def test_hard_link_to_a_link_links_the_link(self, unpack: Unpack, victim: Path) -> None:
        tree = unpack(tar(symlink("way", f"{victim}/secret"), hard_link("mine", "way")))
        assert (tree / "mine").is_symlink()

    def test_mode_and_owner_of_a_links_target(self, unpack: Unpack, victim: Path) -> None:
        unpack(tar(symlink("way", str(victim), mode=0o777, uid=4242)))
        assert victim.stat().st_uid == os.getuid()

    def test_overlays_own_attributes_are_not_taken(self, unpack: Unpack) -> None:
        records = {
            f"SCHILY.xattr.trusted.overlay.{name}": "/etc" for name in ("redirect", "opaque")
        }
        tree = unpack(tar(directory("d", pax=records)))
        assert not [key for key in os.listxattr(tree / "d") if "overlay" in key]


def test_a_failure_leaves_nothing_and_names_the_entry(
    layers: LayerStore, root: StorageRoot
) -> None:
    broken = tar(Member("fine", b"x" * 5000), hard_link("bad", "missing"))
    with layers.lease() as lease, pytest.raises(MalformedLayerError, match="bad"):
        layers.unpack([broken], lease)
    for truncated in (broken[:3000], b"\x1f\x8b\x08rubbish", b"no tar at all" * 100):
        with layers.lease() as lease, pytest.raises(MalformedLayerError):
            layers.unpack([truncated], lease)
    assert [os.listdir(root.join(name)) for name in ("tmp", "l", "layers/sha256")] == [[], [], []]
    assert layers.all() == []


_names = st.sampled_from(["a", "b", "a/b", "a/b/c", "b/a", ".wh.a", "a/.wh.b", "a/.wh..wh..opq"])
_targets = st.sampled_from(["a", "b", "/a", "../b", "a/b", "/nowhere", "."])
_members = st.one_of(
    st.builds(Member, _names, st.binary(max_size=600)),
    st.builds(directory, _names, st.sampled_from([0o755, 0o1777])),
    st.builds(symlink, _names, _targets),
    st.builds(hard_link, _names, _targets),
    st.builds(lambda name: Member(name, type=tarfile.FIFOTYPE), _names),
)


@given(st.lists(_members, max_size=12))
@settings(max_examples=300, deadline=None)
def test_whatever_is_on_top_of_what_the_archive_comes_back(members: list[Member]) -> None:
    """Files over directories over links, through links, hidden, again: refused, or exact."""
    data = tar(*members)
    with tempfile.TemporaryDirectory() as place:
        storage = Storage.open(place)
        try:
            add(storage.layers, data)
        except MalformedLayerError:
            assert storage.layers.all() == []
        finally:
            storage.disposal.settle()
