"""A root with busybox's applets for containers without a daemon."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.boxes import GROUP, PASSWD, Box
from support.residue import RUN

BUSYBOX = Path("/bin/busybox")


@pytest.fixture
def box(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Box]:
    """A root with busybox's applets, passwd and group."""
    made = Box(tmp_path, f"{RUN}runtime-{abs(hash(request.node.nodeid)) % 10**8}")
    for name in ("bin", "etc", "tmp", "home/user", "root"):
        (made.rootfs / name).mkdir(parents=True)
    shutil.copy(BUSYBOX, made.rootfs / "bin/busybox")
    applets = subprocess.run([BUSYBOX, "--list"], capture_output=True, text=True, check=True)
    for applet in applets.stdout.split():
        if applet != "busybox":
            (made.rootfs / "bin" / applet).symlink_to("busybox")
    (made.rootfs / "etc/passwd").write_text(PASSWD)
    (made.rootfs / "etc/group").write_text(GROUP)
    (made.rootfs / "tmp").chmod(0o1777)
    yield made
    # The kernel makes overlay's work directory unreadable to anyone but root.
    shutil.rmtree(tmp_path, ignore_errors=True)
