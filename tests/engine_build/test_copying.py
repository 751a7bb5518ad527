"""COPY and ADD: what goes where, as whose, with which mode. BuildKit does what the rows say."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from boxship.base.errors import BoxshipError, InvalidArgumentError, NotFoundError
from boxship.engine.build.trees import LayersTree
from boxship.solver.operations import Copy, MakeDirectory, MakeFile, Owner
from support.buildfiles import Yard
from support.tars import Member, directory, hard_link, symlink, tar

pytestmark = pytest.mark.privileged

PASSWD = b"root:x:0:0::/root:/bin/sh\ndaemon:x:1:11::/:/bin/false\n"
GROUP = b"root:x:0:\nstaff:x:50:\n"


@pytest.fixture
def yard(tmp_path: Path) -> Iterator[Yard]:
    yard = Yard(tmp_path)
    yard.write(f="f", d__f="f", d__sub__s="s", p__q__r="r")
    (yard.context / "d").chmod(0o700)
    (yard.context / "d/sub").chmod(0o750)
    (yard.context / "d/sub/s").chmod(0o4755)
    os.chown(yard.context / "d/sub", 1234, 1234)
    os.link(yard.context / "d/f", yard.context / "d/hard")
    (yard.context / "linkd").symlink_to("d")
    (yard.context / "linkf").symlink_to("/d/f")
    yield yard
    yard.close()


DIRECTORY = [
    "/x drwxr-xr-x 0:0",
    "/x/f -rw-r--r-- 0:0",
    "/x/hard -rw-r--r-- 0:0",
    "/x/sub drwxr-x--- 0:0",
    "/x/sub/s -rwsr-xr-x 0:0",
]


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        (Copy(0, "/f", "/x"), ["/x -rw-r--r-- 0:0"]),
        (Copy(0, "/f", "/x/", into_directory=True), ["/x drwxr-xr-x 0:0", "/x/f -rw-r--r-- 0:0"]),
        (Copy(0, "/d", "/x"), DIRECTORY),
        (Copy(0, "/d", "/x", into_directory=True), DIRECTORY),
        (Copy(0, "/linkd", "/x"), DIRECTORY),
        (Copy(0, "/linkf", "/x"), ["/x -rw-r--r-- 0:0"]),
        (
            Copy(0, "/linkf", "/x", into_directory=True),
            ["/x drwxr-xr-x 0:0", "/x/linkf -rw-r--r-- 0:0"],
        ),
        (
            Copy(0, "/d/*", "/x", into_directory=True),
            [
                "/x drwxr-xr-x 0:0",
                "/x/f -rw-r--r-- 0:0",
                "/x/hard -rw-r--r-- 0:0",
                "/x/s -rwsr-xr-x 0:0",
            ],
        ),
        (
            Copy(0, "/*/f", "/x", into_directory=True),
            ["/x drwxr-xr-x 0:0", "/x/f -rw-r--r-- 0:0"],
        ),
        (
            Copy(0, "/d/f", "/x/y", owner=Owner("7")),
            ["/x drwxr-xr-x 7:7", "/x/y -rw-r--r-- 7:7"],
        ),
        (Copy(0, "/d/f", "/x", owner=Owner("7", "8")), ["/x -rw-r--r-- 7:8"]),
        (Copy(0, "/d/f", "/x", mode="600"), ["/x -rw------- 0:0"]),
        (
            Copy(0, "/d/sub", "/x", mode="u=rwX,go=rX"),
            ["/x drwxr-xr-x 0:0", "/x/s -rwxr-xr-x 0:0"],
        ),
        (
            Copy(0, "/p/q/r", "/x", into_directory=True, keep_parents=True),
            [
                "/x drwxr-xr-x 0:0",
                "/x/p drwxr-xr-x 0:0",
                "/x/p/q drwxr-xr-x 0:0",
                "/x/p/q/r -rw-r--r-- 0:0",
            ],
        ),
        (
            Copy(0, "/p/./q/r", "/x", into_directory=True, keep_parents=True),
            ["/x drwxr-xr-x 0:0", "/x/q drwxr-xr-x 0:0", "/x/q/r -rw-r--r-- 0:0"],
        ),
        (
            Copy(0, "/**/s", "/x", into_directory=True, keep_parents=True),
            [
                "/x drwxr-xr-x 0:0",
                "/x/d drwx------ 0:0",
                "/x/d/sub drwxr-x--- 0:0",
                "/x/d/sub/s -rwsr-xr-x 0:0",
            ],
        ),
        (
            Copy(0, "/d", "/x", exclude=("hard", "sub")),
            ["/x drwxr-xr-x 0:0", "/x/f -rw-r--r-- 0:0"],
        ),
        (
            Copy(0, "/d", "/x", exclude=("*", "!sub/s")),
            ["/x drwxr-xr-x 0:0", "/x/sub drwxr-x--- 0:0", "/x/sub/s -rwsr-xr-x 0:0"],
        ),
        (Copy(0, "/nothing*", "/x", required=False), []),
        (MakeFile("/x", b"text", mode="0750", owner=Owner("3", "4")), ["/x -rwxr-x--- 3:4"]),
        (
            MakeFile("/x/", b"text", into_directory="y"),
            ["/x drwxr-xr-x 0:0", "/x/y -rw-r--r-- 0:0"],
        ),
        (
            MakeDirectory("/x/y", 0o700, Owner("9")),
            ["/x drwx------ 9:9", "/x/y drwx------ 9:9"],
        ),
    ],
    ids=str,
)
def test_what_goes_where(yard: Yard, action: Copy, expected: list[str]) -> None:
    assert yard.made(action) == expected


def test_what_is_linked_stays_one_file(yard: Yard) -> None:
    layer = yard.layer(Copy(0, "/d", "/x"))
    diff = Path(yard.storage.layers.diff_directory(layer.digest))
    assert os.stat(diff / "x/f").st_ino == os.stat(diff / "x/hard").st_ino


@pytest.fixture
def base(yard: Yard) -> LayersTree:
    return yard.tree(
        tar(
            directory("etc"),
            Member("etc/passwd", PASSWD),
            Member("etc/group", GROUP),
            directory("real", mode=0o711, uid=5),
            symlink("lnk", "/real"),
            symlink("lnkf", "/real/file"),
            symlink("dang", "/not/there"),
            symlink("out", "../../../real/up"),
            Member("file", b"old", uid=55, gid=66),
        )
    )


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        (Copy(0, "/d/f", "/lnk"), ["/real drwx--x--x 5:0", "/real/f -rw-r--r-- 0:0"]),
        (Copy(0, "/d/f", "/lnkf"), ["/real drwx--x--x 5:0", "/real/file -rw-r--r-- 0:0"]),
        (Copy(0, "/d/f", "/dang"), ["/not drwxr-xr-x 0:0", "/not/there -rw-r--r-- 0:0"]),
        (Copy(0, "/d/f", "/out"), ["/real drwx--x--x 5:0", "/real/up -rw-r--r-- 0:0"]),
        (Copy(0, "/d/f", "/file"), ["/file -rw-r--r-- 0:0"]),
        (Copy(0, "/d/f", "/own", owner=Owner("daemon")), ["/own -rw-r--r-- 1:11"]),
        (Copy(0, "/d/f", "/own", owner=Owner("daemon", "staff")), ["/own -rw-r--r-- 1:50"]),
        (Copy(1, "/file", "/own"), ["/own -rw-r--r-- 55:66"]),
        (Copy(1, "/file", "/own", owner=Owner("0", "0")), ["/own -rw-r--r-- 0:0"]),
    ],
    ids=str,
)
def test_the_tree_decides(yard: Yard, base: LayersTree, action: Copy, expected: list[str]) -> None:
    before = yard.made(base=base)
    after = yard.made(action, base=base)
    names = {line.split()[0] for line in expected}
    assert [line for line in after if line.split()[0] in names] == expected
    kept = {line for line in before if line.split()[0] not in names}
    assert kept <= set(after)


@pytest.mark.parametrize(
    ("action", "error", "words"),
    [
        (Copy(0, "/nope", "/x"), NotFoundError, '"/nope": not found'),
        (Copy(0, "/nope*", "/x"), NotFoundError, '"/nope*": not found'),
        (Copy(0, "/d", "/file"), InvalidArgumentError, "non-directory: /file"),
        (Copy(0, "/d/f", "/file/x"), InvalidArgumentError, "non-directory: /file"),
        (Copy(0, "/f", "/x", owner=Owner("nobodyhere")), InvalidArgumentError, "nobodyhere"),
        (Copy(0, "/f", "/x", mode="u=q"), InvalidArgumentError, "u=q"),
        (Copy(0, "/[", "/x"), InvalidArgumentError, "syntax error in pattern"),
        (MakeFile("/etc", b""), InvalidArgumentError, "cannot replace to directory /etc"),
    ],
    ids=str,
)
def test_what_cannot_be(
    yard: Yard, base: LayersTree, action: Copy, error: type[BoxshipError], words: str
) -> None:
    with pytest.raises(error) as raised:
        yard.layer(action, base=base)
    assert words in str(raised.value)


ARCHIVE = tar(
    directory("d", mode=0o700), Member("d/s", b"s", mode=0o4755, uid=3), hard_link("d/t", "d/s")
)


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        (
            Copy(0, "/t.tar", "/x", unpack=True),
            [
                "/x drwxr-xr-x 0:0",
                "/x/d drwx------ 0:0",
                "/x/d/s -rwsr-xr-x 3:0",
                "/x/d/t -rwsr-xr-x 3:0",
            ],
        ),
        (Copy(0, "/t.tar", "/x"), ["/x -rw-r--r-- 0:0"]),
        (Copy(0, "/f", "/x", unpack=True), ["/x -rw-r--r-- 0:0"]),
    ],
    ids=str,
)
def test_archives(yard: Yard, action: Copy, expected: list[str]) -> None:
    (yard.context / "t.tar").write_bytes(ARCHIVE)
    assert yard.made(action) == expected


# ── attacks ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "link", ["/etc/hostname", "../../../../etc/hostname", "/proc/self/root/etc"]
)
def test_no_link_leads_out_of_a_context(yard: Yard, link: str) -> None:
    (yard.context / "evil").symlink_to(link)
    with pytest.raises(NotFoundError):
        yard.layer(Copy(0, "/evil", "/x"))
    with pytest.raises(NotFoundError):
        yard.layer(Copy(0, "/evil/hostname", "/x"))


def test_no_path_leads_out_of_a_context(yard: Yard) -> None:
    (yard.context.parent / "secret").write_text("secret")
    for source in ("/../secret", "../secret", "/d/../../secret"):
        with pytest.raises(NotFoundError):
            yard.layer(Copy(0, source, "/x"))


def test_no_archive_writes_elsewhere(yard: Yard, tmp_path: Path) -> None:
    """By a link that it brings along, by one that the tree has, and by its names."""
    outside = tmp_path / "outside"
    outside.mkdir()
    base = yard.tree(tar(symlink("there", str(outside))))
    liar = tar(symlink("evil", str(outside)), Member("evil/a", b""), Member("there/b", b""))
    (yard.context / "t.tar").write_bytes(liar)
    with pytest.raises(InvalidArgumentError):
        yard.layer(Copy(0, "/t.tar", "/", unpack=True), base=base)
    (yard.context / "t.tar").write_bytes(tar(Member("there/b", b"")))
    with pytest.raises(InvalidArgumentError):
        yard.layer(Copy(0, "/t.tar", "/", unpack=True), base=base)
    assert list(outside.iterdir()) == []
    (yard.context / "t.tar").write_bytes(tar(Member("../../up", b"")))
    with pytest.raises(InvalidArgumentError):
        yard.layer(Copy(0, "/t.tar", "/x", unpack=True), base=base)


def test_a_broken_archive_leaves_nothing(yard: Yard) -> None:
    (yard.context / "t.tar").write_bytes(ARCHIVE[:900])
    with pytest.raises(InvalidArgumentError, match="tar"):
        yard.layer(Copy(0, "/t.tar", "/x", unpack=True))


def test_devices_and_fifos_are_not_opened(yard: Yard) -> None:
    """Whoever opened it would wait for a writer for ever."""
    os.mkfifo(yard.context / "d/fifo")
    found = yard.made(Copy(0, "/d", "/x"))
    assert "/x/fifo prw-r--r-- 0:0" in found


# ── layers ───────────────────────────────────────────────────────────────────────────────────


def test_times_are_turned_back(yard: Yard) -> None:
    latest = 1_500_000_000 * 10**9
    layer = yard.layer(Copy(0, "/d", "/x"), MakeFile("/new", b"x"), latest_ns=latest)
    again = yard.layer(MakeFile("/new", b"x"), Copy(0, "/d", "/x"), latest_ns=latest)
    assert layer.diff_id == again.diff_id
    diff = Path(yard.storage.layers.diff_directory(layer.digest))
    assert {path.lstat().st_mtime_ns for path in diff.rglob("*")} == {latest}


def test_a_layer_gives_its_tar_back(yard: Yard) -> None:
    """It was never written: the recipe has been made while its bytes were counted."""
    layer = yard.layer(Copy(0, "/d", "/x"), MakeFile("/big", os.urandom(3_000_000)))
    data = b"".join(map(bytes, yard.storage.layers.tar(layer.digest)))
    assert len(data) == layer.tar_size
    again = yard.tree(data)
    assert again.layers == (layer.digest,)


def test_the_same_with_another_driver(tmp_path: Path) -> None:
    made = []
    for driver in ("overlay2", "vfs"):
        (tmp_path / driver).mkdir()
        yard = Yard(tmp_path / driver, driver)
        base = yard.tree(tar(directory("a"), Member("a/gone", b"x"), Member("a/b", b"y")))
        yard.write(b="new")
        os.utime(yard.context / "b", (1, 1))
        layer = yard.layer(Copy(0, "/b", "/a/b"), base=base, latest_ns=10**18)
        made.append(layer)
        yard.close()
    assert made[0] == made[1]


def test_directories_deeper_than_anybody_goes(yard: Yard) -> None:
    os.makedirs(yard.context / "deep" / "/".join("d" * 400))
    with pytest.raises(InvalidArgumentError, match="too deep"):
        yard.layer(Copy(0, "/deep", "/x"))
