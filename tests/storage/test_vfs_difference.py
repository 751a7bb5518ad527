"""What a container under vfs has changed, read while it goes on changing it."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from boxship.storage.difference import Change, Comparison

pytestmark = pytest.mark.privileged

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY


class Vanishing(Comparison):
    """Its container deletes whatever is called ``goes`` as soon as it was seen."""

    def changes(self) -> Iterator[Change]:
        for change in super().changes():
            if change.name == b"goes":
                place = f"/proc/self/fd/{change.parent}/goes"
                shutil.rmtree(place) if os.path.isdir(place) else os.unlink(place)
            yield change


def test_what_goes_meanwhile_is_left_out(tmp_path: Path) -> None:
    tree, layer, target = (tmp_path / name for name in ("tree", "layer", "target"))
    layer.mkdir()
    (tree / "goes" / "in").mkdir(parents=True)
    (tree / "d").mkdir()
    for name in ("d/goes", "d/stays", "stays"):
        (tree / name).write_text("x")
    descriptors = [os.open(path, _DIRECTORY) for path in (tree, layer)]
    try:
        comparison = Vanishing(descriptors[0], descriptors[1:], 0, "trusted.overlay.opaque")
        comparison.write(str(target))
    finally:
        for fd in descriptors:
            os.close(fd)
    found = sorted(str(path.relative_to(target)) for path in target.rglob("*"))
    assert found == ["d", "d/stays", "stays"]
