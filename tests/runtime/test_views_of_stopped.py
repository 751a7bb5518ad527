"""The tree of a container that does not run, with what is mounted into it."""

import os
from pathlib import Path

import pytest

from boxship.runtime.viewing import Bind, view_mounted

pytestmark = pytest.mark.privileged


def test_a_container_without_a_place_for_a_mount_can_be_looked_at(tmp_path: Path) -> None:
    root, mountpoint, hosts = (tmp_path / name for name in ("root", "mountpoint", "hosts"))
    root.mkdir()
    mountpoint.mkdir()
    hosts.write_text("mounted")
    (root / "etc").write_text("no directory")
    (root / "round").symlink_to("round")
    (root / "place").touch()
    targets = ("/etc/hosts", "/round/hosts", "/nowhere/hosts", "/place")
    with view_mounted(str(root), str(mountpoint), [Bind(str(hosts), t) for t in targets]) as view:
        fd = os.open("place", os.O_RDONLY, dir_fd=view.root)
        assert os.read(fd, 100) == b"mounted"
        os.close(fd)
    assert (root / "place").read_text() == ""
