"""Mount a snapshot where a test can look at it, by the calls that a container's start makes."""

import subprocess
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from pathlib import Path

import pytest

from boxship.runtime.kernel import LINUX
from boxship.runtime.mounts import mount_overlay_on
from boxship.runtime.steps import MountOverlay
from boxship.storage.snapshots import DirectoryMount, Mount
from support.programs import required


@contextmanager
def mounted(mount: Mount, place: Path) -> Iterator[Path]:
    """Yield the directory `place`, made if need be, with the snapshot on it."""
    place.mkdir(exist_ok=True)
    if isinstance(mount, DirectoryMount):
        subprocess.run(["mount", "--bind", mount.path, place], check=True)
    else:
        step = MountOverlay(
            mount.cwd, mount.lower, mount.upper, mount.work, str(place), mount.options
        )
        with chdir(mount.cwd):
            mount_overlay_on(LINUX, step, str(place))
    try:
        yield place
    finally:
        subprocess.run(["umount", place], check=True)


@contextmanager
def disk_with_projects(scratch: Path, kind: str) -> Iterator[Path]:
    """A file system, ext4 or xfs, with project quotas; the test is skipped where there are none."""
    required(f"mkfs.{kind}")
    image, place = scratch / "image", scratch / "disk"
    place.mkdir()
    with image.open("wb") as file:
        file.truncate(320 << 20)
    projects = {"ext4": ["-O", "project,quota", "-E", "quotatype=prjquota"], "xfs": []}
    subprocess.run([f"mkfs.{kind}", "-q", *projects[kind], str(image)], check=True)
    mount = ["mount", "-o", "loop,prjquota", str(image), str(place)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if "wrong fs type" in done.stderr or "unknown filesystem" in done.stderr:
        pytest.skip(f"this kernel has no project quotas for {kind}")
    assert done.returncode == 0, done.stderr
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)
