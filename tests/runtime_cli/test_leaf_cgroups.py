"""cgroup v2 has processes in leaves only: what joins a container whose init has moved on."""

from pathlib import Path
from typing import Any

import pytest

UNIFIED = Path("/sys/fs/cgroup")

pytestmark = [
    pytest.mark.privileged,
    pytest.mark.skipif(
        not (UNIFIED / "cgroup.controllers").exists(), reason="cgroup v2 is not alone here"
    ),
]


def test_an_exec_goes_where_init_is(runtime: Any) -> None:
    runtime.configure("sleep", "1000")
    runtime.detached("run", "--detach", "c")
    pid = runtime.state("c")["pid"]
    own = UNIFIED / runtime.cgroup
    leaf = own / "init.scope"
    leaf.mkdir()
    (leaf / "cgroup.procs").write_text(str(pid))
    (own / "cgroup.subtree_control").write_text("+memory")
    assert runtime.works("exec", "c", "cat", "/proc/self/cgroup") == "0::/init.scope\n"
    # Out of the container's own cgroup nobody is followed.
    elsewhere = UNIFIED / f"{runtime.cgroup}-other"
    elsewhere.mkdir()
    try:
        (elsewhere / "cgroup.procs").write_text(str(pid))
        refused = runtime("exec", "c", "true")
        assert refused.returncode != 0
        assert "its init is at" in refused.stderr
    finally:
        (leaf / "cgroup.procs").write_text(str(pid))
        elsewhere.rmdir()
    runtime.works("delete", "--force", "c")
    assert not own.exists()
