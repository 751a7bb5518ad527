"""Every kind of damage is found, named, and repaired where nothing is lost by it."""

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from boxship.model.check import CheckSummary, Finding, Outcome
from boxship.oci.digest import Digest
from boxship.storage.check.store import Needed, StoreCheck
from boxship.storage.storage import Storage
from support.tars import Member, directory, hard_link, symlink, tar

pytestmark = pytest.mark.privileged

CAPS = "\x01\0\0\x02\0\x04\0\0" + "\0" * 12
PAX = {"mtime": "1000000000.25"}
MEMBERS = (
    directory("./", mode=0o750, uid=4, pax=PAX),
    directory("d", mode=0o1777, uid=3, pax=PAX),
    Member("d/a", b"one" * 1000, mode=0o4755, uid=5, gid=6, pax={"mtime": "123.5"}),
    hard_link("d/b", "d/a"),
    hard_link("d/b2", "d/a"),
    symlink("d/l", "../nowhere", uid=8, pax={"mtime": "77.75"}),
    Member("d/null", type=b"3", device=(1, 3), mode=0o666),
    Member("d/pipe", type=b"6", mode=0o640),
    Member("d/c", b"x", pax={"SCHILY.xattr.security.capability": CAPS,
                             "SCHILY.xattr.user.note": "n"}),
    Member("implied/file", b"2"),
    Member("empty", b""),
    Member("twice", b"first"), Member("twice", b"second"),
    Member(".wh.gone"), directory("op"), Member("op/.wh..wh..opq"), Member("op/x", b"1"),
)  # fmt: skip
LAYER = tar(*MEMBERS)
DIFF_ID = Digest.of(LAYER)


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    storage = Storage.open(str(tmp_path / "root"))
    with storage.layers.lease() as lease:
        storage.layers.unpack([LAYER], lease)
    return storage


@pytest.fixture
def tree(storage: Storage) -> Path:
    return Path(storage.layers.diff_directory(DIFF_ID))


def check(
    storage: Storage, *, repair: bool = True, **needed: frozenset[object]
) -> tuple[list[Finding], CheckSummary]:
    before = os.listdir(storage.root.join("tmp"))
    wanted = {"layers": frozenset({DIFF_ID}), **needed}
    events = list(StoreCheck(storage, Needed(**wanted), repair=repair).run())  # type: ignore[arg-type]
    assert isinstance(events[-1], CheckSummary)
    storage.disposal.settle()
    assert os.listdir(storage.root.join("tmp")) == before
    return [event for event in events if isinstance(event, Finding)], events[-1]


def test_what_is_whole_is_found_whole(storage: Storage) -> None:
    found, summary = check(storage)
    assert found == []
    assert summary == CheckSummary(layers=1)


def set_mode(tree: Path) -> None:
    (tree / "d/a").chmod(0o755)


def set_owner(tree: Path) -> None:
    os.chown(tree / "d/c", 77, 78)  # drops the capability, too


def set_root(tree: Path) -> None:
    tree.chmod(0o777)


def set_time(tree: Path) -> None:
    os.utime(tree / "d", (5, 5))


def set_time_of_link(tree: Path) -> None:
    os.utime(tree / "d/l", (5, 5), follow_symlinks=False)


def lead_elsewhere(tree: Path) -> None:
    (tree / "d/l").unlink()
    (tree / "d/l").symlink_to("/etc/passwd")


def drop_attribute(tree: Path) -> None:
    os.removexattr(tree / "d/c", "user.note")


def add_attribute(tree: Path) -> None:
    os.setxattr(tree / "d/a", "user.more", b"1")


def remove_name(tree: Path) -> None:
    (tree / "d/b").unlink()


def remove_first_name(tree: Path) -> None:
    (tree / "d/a").unlink()


def break_link(tree: Path) -> None:
    shutil.copy2(tree / "d/a", tree / "d/new")
    (tree / "d/new").rename(tree / "d/b")


def remove_specials(tree: Path) -> None:
    for name in ("d/null", "d/pipe", "d/l", "gone", "empty"):
        (tree / name).unlink()


def change_kind(tree: Path) -> None:
    (tree / "d/pipe").unlink()
    (tree / "d/pipe").mkdir()
    (tree / "d/pipe/more").write_text("x")


def change_device(tree: Path) -> None:
    (tree / "gone").unlink()
    os.mknod(tree / "gone", 0o020000, os.makedev(1, 8))


def add_strangers(tree: Path) -> None:
    (tree / "d/stranger").write_bytes(b"mine")
    (tree / "more").mkdir()


def make_transparent(tree: Path) -> None:
    os.removexattr(tree / "op", "trusted.overlay.opaque")


def make_longer(tree: Path) -> None:
    with (tree / "d/c").open("ab") as stream:
        stream.write(b"tail")


def remove_link(tree: Path) -> None:
    for link in tree.parents[3].joinpath("l").iterdir():
        link.unlink()


def spoil_record(tree: Path) -> None:
    (tree.parent / "meta.json").write_bytes(b"{}")


def change_record(tree: Path) -> None:
    record = tree.parent / "meta.json"
    record.write_bytes(record.read_bytes().replace(b'"entries":17', b'"entries":18'))


LOSSLESS = (
    set_mode, set_owner, set_root, set_time, set_time_of_link, lead_elsewhere, drop_attribute,
    add_attribute, remove_name, remove_first_name, break_link, remove_specials, change_kind,
    change_device, add_strangers, make_transparent, make_longer, remove_link, spoil_record,
    change_record,
)  # fmt: skip


@pytest.mark.parametrize("damage", LOSSLESS, ids=lambda damage: damage.__name__)
def test_damage_without_loss_is_repaired(
    storage: Storage, tree: Path, damage: Callable[[Path], None]
) -> None:
    before = looks(tree)
    damage(tree)
    found, _ = check(storage, repair=False)
    assert found
    assert {finding.outcome for finding in found} == {Outcome.REPAIRABLE}
    assert len(check(storage, repair=False)[0]) == len(found), "looking has changed something"
    repaired, summary = check(storage)
    assert {finding.outcome for finding in repaired} == {Outcome.REPAIRED}
    assert (summary.remaining, summary.repaired) == (0, len(repaired))
    assert check(storage)[0] == []
    assert looks(tree) == before
    again = Storage.open(storage.root.path).layers
    assert b"".join(again.tar(DIFF_ID)) == LAYER
    assert again.is_linked(again.get(DIFF_ID))


def looks(tree: Path) -> dict[str, object]:
    found: dict[str, object] = {}
    for path in [tree, *tree.rglob("*")]:
        seen = path.lstat()
        made_up = path.name in ("implied", "gone")  # whiteouts have no time in archives
        times = 0 if made_up else seen.st_mtime_ns
        attributes = {
            name: os.getxattr(path, name, follow_symlinks=False)
            for name in os.listxattr(path, follow_symlinks=False)
        }
        link = os.readlink(path) if path.is_symlink() else ""
        found[str(path.relative_to(tree))] = (
            seen.st_mode, seen.st_uid, seen.st_gid, seen.st_rdev, times, attributes, link,
            0 if path.is_dir() else (seen.st_size, seen.st_nlink),
        )  # fmt: skip
    return found


def test_what_does_not_belong_is_kept_elsewhere(storage: Storage, tree: Path) -> None:
    add_strangers(tree)
    check(storage)
    (kept, *_) = [
        path for path in Path(storage.root.join("lost+found")).iterdir() if path.is_file()
    ]
    assert kept.read_bytes() == b"mine"


def shorten(tree: Path) -> None:
    os.truncate(tree / "d/a", 5)


def rewrite(tree: Path) -> None:
    with (tree / "d/a").open("r+b") as stream:
        stream.write(b"ONE")


def remove_file(tree: Path) -> None:
    (tree / "d/c").unlink()


def remove_everything(tree: Path) -> None:
    shutil.rmtree(tree / "d")


def spoil_recipe(tree: Path) -> None:
    recipe = tree.parent / "recipe.zst"
    data = bytearray(recipe.read_bytes())
    data[len(data) // 2] ^= 0xFF
    recipe.write_bytes(data)


def remove_shadow(tree: Path) -> None:
    shutil.rmtree(tree.parent / "shadow")


@pytest.mark.parametrize(
    ("damage", "path", "problem"),
    [
        (shorten, "d/", "has 5 bytes instead of 3000"),
        (rewrite, "", "contents have changed"),
        (remove_file, "d/c", "is missing"),
        (remove_everything, "d/a", "is missing"),
        (spoil_recipe, "", "recipe is damaged"),
        (remove_shadow, "", "tar cannot be rebuilt"),
    ],
)
def test_a_loss_is_named_and_another_copy_takes_the_layers_place(
    storage: Storage, tree: Path, damage: Callable[[Path], None], path: str, problem: str
) -> None:
    damage(tree)
    found, summary = check(storage)
    lost = [finding for finding in found if finding.outcome is Outcome.LOST]
    assert summary.remaining == len(lost) > 0
    assert any(f.path.startswith(path) and problem in f.problem for f in lost), lost
    assert {finding.id for finding in found} == {str(DIFF_ID)}
    for layers in (storage.layers, Storage.open(storage.root.path).layers):
        assert layers.find(DIFF_ID) is None, "a pull would think that it is here"
        assert layers.get(DIFF_ID), "whoever uses it would lose it"
    with storage.layers.lease() as lease:
        storage.layers.unpack([LAYER], lease, expected=DIFF_ID)
    assert check(storage)[0] == []
    assert storage.layers.find(DIFF_ID)
    assert Storage.open(storage.root.path).layers.find(DIFF_ID)


def test_a_layer_that_is_missing_altogether(storage: Storage) -> None:
    other = Digest.of(b"other")
    found, _ = check(storage, layers=frozenset({DIFF_ID, other}))
    assert found == [Finding("layer", str(other), "is missing", Outcome.LOST)]


def test_blobs(storage: Storage) -> None:
    good, bad, gone = storage.blobs.add(b"good"), storage.blobs.add(b"bad"), Digest.of(b"gone")
    Path(storage.root.blob(bad)).write_bytes(b"BAD")
    found, summary = check(storage, blobs=frozenset({good, bad, gone}))
    assert {(finding.id, finding.problem, finding.outcome) for finding in found} == {
        (str(bad), "its bytes have changed, or cannot be read", Outcome.LOST),
        (str(gone), "is missing", Outcome.LOST),
    }
    assert (summary.blobs, summary.remaining) == (2, 2)
    for data in (b"bad", b"gone"):
        storage.blobs.add(data)
    assert check(storage, blobs=frozenset({good, bad, gone}))[0] == []


def test_a_damaged_copy_of_a_layer_is_thrown_away(storage: Storage) -> None:
    good, bad, gone = storage.blobs.add(b"good"), storage.blobs.add(b"bad"), Digest.of(b"gone")
    Path(storage.root.blob(bad)).write_bytes(b"BAD")
    found, _ = check(storage, copies=frozenset({good, bad, gone}))
    assert [(finding.id, finding.outcome) for finding in found] == [(str(bad), Outcome.REPAIRED)]
    assert storage.blobs.all() == [good]


def test_snapshots(storage: Storage) -> None:
    for key in ("good", "without work", "without files", "without all"):
        storage.snapshots.prepare(key, [DIFF_ID])
    shutil.rmtree(Path(storage.root.snapshot("without work"), "work"))
    shutil.rmtree(Path(storage.root.snapshot("without files"), "upper"))
    shutil.rmtree(storage.root.snapshot("without all"))
    keys = frozenset({"good", "without work", "without files", "without all"})
    found, summary = check(storage, snapshots=keys)
    assert {(finding.id, finding.outcome) for finding in found} == {
        ("without work", Outcome.REPAIRED),
        ("without files", Outcome.LOST),
        ("without all", Outcome.LOST),
    }
    assert summary.snapshots == 4
    assert len(check(storage, snapshots=keys)[0]) == 2


def test_what_a_pull_goes_on_with_is_kept_and_may_be_missing(storage: Storage) -> None:
    half = Digest.of(b"half")
    os.mkdir(storage.root.layer(half))
    awaited = frozenset({half, Digest.of(b"not here yet")})
    needed = Needed(frozenset({DIFF_ID}), awaited=awaited)
    late = StoreCheck(storage, needed, repair=True, now=lambda: time.time() + 2 * 86400).run()
    found = [event for event in late if isinstance(event, Finding)]
    assert not [
        event for event in found if event.outcome is Outcome.LOST and "missing" in event.problem
    ]
    assert os.path.isdir(storage.root.layer(half))


def test_garbage_goes_when_it_is_old(storage: Storage) -> None:
    storage.snapshots.prepare("forgotten", [DIFF_ID])
    blob = storage.blobs.add(b"forgotten")
    Path(storage.root.link("0123456789ab")).symlink_to("../layers/nowhere/diff")
    os.mkdir(storage.root.layer(Digest.of(b"half")))
    left = storage.root.new_temporary()
    events = list(StoreCheck(storage, Needed(frozenset({DIFF_ID})), repair=True).run())
    found = {event.id for event in events if isinstance(event, Finding)}
    assert found == {"l/0123456789ab"}, "what has just been made is left alone"
    needed = Needed(frozenset({DIFF_ID}))
    late = StoreCheck(storage, needed, repair=True, now=lambda: time.time() + 2 * 86400).run()
    assert {event.id for event in late if isinstance(event, Finding)} == {
        "snapshots/forgotten",
        f"blobs/sha256/{blob.hex}",
        f"layers/sha256/{Digest.of(b'half').hex}",
        f"tmp/{os.path.basename(left)}",
    }
    storage.disposal.settle()
    assert check(storage)[0] == []
    assert storage.snapshots.keys() == []


def test_a_container_made_during_a_long_check_stays(storage: Storage) -> None:
    clock = [time.time()]
    events = StoreCheck(
        storage, Needed(frozenset({DIFF_ID})), repair=True, now=lambda: clock[0]
    ).run()
    next(events)
    storage.snapshots.prepare("new", [DIFF_ID])
    storage.blobs.add(b"its image")
    clock[0] += 2 * 86400
    assert [event for event in events if isinstance(event, Finding)] == []
    assert storage.snapshots.keys() == ["new"]


def test_old_garbage_that_is_wanted_again_stays(storage: Storage) -> None:
    blob = storage.blobs.add(b"forgotten")
    place = storage.root.blob(blob)
    os.utime(place, (1, 1))
    storage.blobs.add(b"forgotten")
    assert time.time() - os.stat(place).st_mtime < 60


def test_what_a_container_runs_on_stays_when_it_is_replaced(storage: Storage, tree: Path) -> None:
    fd = os.open(tree, os.O_RDONLY | os.O_DIRECTORY)
    storage.layers.mark(DIFF_ID, damaged=True)
    with storage.layers.lease() as lease:
        storage.layers.unpack([LAYER], lease, expected=DIFF_ID)
    late = StoreCheck(
        storage, Needed(frozenset({DIFF_ID})), repair=True, now=lambda: time.time() + 2 * 86400
    )
    assert [event for event in late.run() if isinstance(event, Finding)] == []
    storage.disposal.add(storage.root.left_over())
    storage.disposal.settle()
    assert "empty" in os.listdir(fd)
    os.close(fd)
    storage.disposal.add(storage.root.left_over(used=True))
    storage.disposal.settle()
    assert os.listdir(storage.root.join("tmp")) == []


def test_a_needed_layer_without_a_record_survives_a_start(storage: Storage, tree: Path) -> None:
    spoil_record(tree)
    again = Storage.open(storage.root.path)
    again.layers.recover({DIFF_ID})
    assert again.layers.unknown() == [DIFF_ID]
    assert [finding.outcome for finding in check(again)[0]] == [Outcome.REPAIRED]
    assert again.layers.find(DIFF_ID)
    assert b"".join(again.layers.tar(DIFF_ID)) == LAYER
