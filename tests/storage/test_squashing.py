"""Layers made one show the same, over whatever they are put."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from boxship.storage.squashing import squashed_tar
from support.buildfiles import Yard, listed
from support.tars import Member, directory, hard_link, symlink, tar

pytestmark = pytest.mark.privileged

BASE = tar(
    directory("a"), Member("a/base", b"1"), directory("b"), Member("b/base", b"2"),
    directory("c"), Member("c/base", b"3"), Member("gone", b"4"), symlink("l", "a"),
)  # fmt: skip
LAYERS = [
    tar(directory("a"), Member("a/one", b"1"), hard_link("a/two", "a/one"), Member("x", b"x")),
    tar(Member(".wh.gone"), Member("a/.wh.one"), Member(".wh.b"), directory("new"), Member("n")),
    tar(directory("b"), Member("b/again", b"5"), Member(".wh.x"), Member(".wh.n"), Member("c")),
    tar(directory("c"), Member("c/dir", b"6"), directory("new"), Member("new/.wh..wh..opq")),
]


@pytest.fixture
def yard(tmp_path: Path) -> Iterator[Yard]:
    yard = Yard(tmp_path)
    yield yard
    yard.close()


def shown(yard: Yard, *archives: bytes) -> list[str]:
    with yard.workshop.reading(yard.tree(*archives)) as root:
        return listed(root)


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_the_same_is_seen(yard: Yard, count: int) -> None:
    layers = yard.tree(*LAYERS[:count]).layers
    trees = [yard.storage.layers.diff_directory(layer) for layer in reversed(layers)]
    one = b"".join(map(bytes, squashed_tar(trees, yard.storage.rights.opaque)))
    assert shown(yard, BASE, one) == shown(yard, BASE, *LAYERS[:count])
    assert one == b"".join(map(bytes, squashed_tar(trees, yard.storage.rights.opaque)))


def test_no_time_is_later(yard: Yard) -> None:
    (layer,) = yard.tree(LAYERS[0]).layers
    trees = [yard.storage.layers.diff_directory(layer)]
    latest = 1_000_000_000 * 10**9
    one = b"".join(map(bytes, squashed_tar(trees, yard.storage.rights.opaque, latest)))
    (made,) = yard.tree(one).layers
    diff = Path(yard.storage.layers.diff_directory(made))
    assert {path.lstat().st_mtime_ns for path in diff.rglob("*")} == {latest}
