"""What the shim asks of a container's cgroups at its end, whatever has become of them."""

from pathlib import Path

from boxship.runtime.blueprint import CgroupDirectory, CgroupPlan
from boxship.runtime.cgroups import control


def test_a_memory_cgroup_that_cannot_be_read_has_counted_nothing(tmp_path: Path):
    directory = CgroupDirectory(str(tmp_path), str(tmp_path), ("memory",), unified=True)
    plan = CgroupPlan(directories=(directory,))
    (tmp_path / "memory.events").write_text("oom_kill 3\n")
    assert control.oom_kills(plan) == 3
    (tmp_path / "memory.events").unlink()
    assert control.oom_kills(plan) == 0
    (tmp_path / "memory.events").mkdir()  # another error than that it is missing, as ENODEV is
    assert control.oom_kills(plan) == 0
