"""Images mounted where users are mapped, on a machine that shares its mounts, as systemd's do."""

import os
from pathlib import Path

import pytest

from boxship.engine.containers import mountsources
from boxship.kernel import mounts as k
from boxship.kernel.namespaces import CLONE_FLAGS, unshare
from boxship.runtime.userns import namespace_with_maps
from boxship.storage.snapshots import OverlayMount
from support.boxes import in_a_shim

pytestmark = pytest.mark.privileged

MAPS = ((0, 100_000, 65_536),)


@pytest.mark.parametrize("layers", [("a",), ("a", "b")])
def test_what_is_mounted_covers_nothing_else(tmp_path: Path, layers: tuple[str, ...]) -> None:
    root, target = tmp_path / "root", tmp_path / "target"
    for name in layers:
        (root / name).mkdir(parents=True)
        (root / name / f"of-{name}").touch()
    target.mkdir()

    def work() -> tuple[list[str], list[str], int]:
        unshare(CLONE_FLAGS["mnt"])
        k.mount("", "/", "", k.MS_PRIVATE | k.MS_REC)
        k.mount(str(tmp_path), str(tmp_path), "", k.MS_BIND)
        k.mount("", str(tmp_path), "", k.MS_SHARED)
        owners = namespace_with_maps(MAPS, MAPS)
        mountsources._mount_view(OverlayMount(str(root), layers, options=()), str(target), owners)
        shown = sorted(os.listdir(target))
        return shown, sorted(os.listdir(root)), (target / shown[0]).stat().st_uid

    assert in_a_shim(work) == ([f"of-{name}" for name in layers], list(layers), 100_000)
