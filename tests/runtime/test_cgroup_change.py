"""Changing the limits of a cgroup in use: all of them or none."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from boxship.runtime.blueprint import CgroupDirectory, CgroupPlan, CgroupWrite
from boxship.runtime.cgroups import tree
from boxship.runtime.cgroups.change import change, undoing
from boxship.runtime.cgroups.layout import host_layout
from support.residue import RUN


def write(file: str, value: str, controller: str = "") -> CgroupWrite:
    return CgroupWrite(file, controller or file.partition(".")[0], file, value)


@pytest.mark.parametrize(
    ("file", "value", "now", "undo"),
    [
        ("pids.max", "5", "max\n", "max"),
        ("cpu.max", "5000 10000", "max 100000\n", "max 100000"),
        ("cpuset.cpus", "0", "\n", "\n"),
        ("io.weight", "20", "default 100\n8:0 50\n", "default 100"),
        ("io.weight", "8:0 20", "default 100\n8:0 50\n", "8:0 50"),
        ("io.weight", "8:16 20", "default 100\n8:0 50\n", "8:16 default"),
        ("io.max", "8:0 rbps=5", "8:0 rbps=9 wbps=max riops=max wiops=max\n",
         "8:0 rbps=9 wbps=max riops=max wiops=max"),
        ("io.max", "8:0 rbps=5", "", "8:0 rbps=max wbps=max riops=max wiops=max"),
        ("blkio.throttle.read_bps_device", "8:0 5", "8:1 7\n", "8:0 0"),
        ("blkio.throttle.read_bps_device", "8:0 5", "8:0 7\n", "8:0 7"),
        ("rdma.max", "mlx4_0 hca_handle=2", "mlx4_0 hca_handle=9 hca_object=max\n",
         "mlx4_0 hca_handle=9 hca_object=max"),
    ],
)  # fmt: skip
def test_what_undoes_a_write(file: str, value: str, now: str, undo: str) -> None:
    assert undoing(write(file, value), now) == undo


def plain_tree(place: Path, files: dict[str, str]) -> CgroupPlan:
    """Ordinary files that stand for a cgroup."""
    for name, text in files.items():
        (place / name).write_text(text)
    controllers = tuple({name.partition(".")[0] for name in files})
    return CgroupPlan((CgroupDirectory(str(place), str(place), controllers),))


def test_the_old_values_come_back_when_a_later_one_is_refused(tmp_path: Path) -> None:
    plan = plain_tree(tmp_path, {"pids.max": "max\n", "cpu.shares": "1024\n"})
    (tmp_path / "cpu.broken").mkdir()
    writes = (write("pids.max", "7"), write("cpu.shares", "2"), write("cpu.nothing", "1"))
    with pytest.raises(tree.CgroupError, match=r"cannot set cpu.nothing limit: .*/cpu.nothing"):
        change(plan, writes)
    # Plain files are not truncated by a write, so what is left shows that both were made.
    assert (tmp_path / "pids.max").read_text().startswith("max")
    assert (tmp_path / "cpu.shares").read_text().startswith("1024")
    with pytest.raises(tree.CgroupError, match="cannot read a limit"):
        change(plan, (*writes[:2], write("cpu.broken", "1")))
    assert (tmp_path / "pids.max").read_text().startswith("max")


def test_the_answer_takes_the_change_back(tmp_path: Path) -> None:
    plan = plain_tree(tmp_path, {"pids.max": "999", "cpu.shares": "1024"})
    before = change(plan, (write("pids.max", "777"), write("cpu.shares", "2048")))
    assert (tmp_path / "pids.max").read_text() == "777"
    change(plan, before)
    assert (tmp_path / "pids.max").read_text() == "999"
    assert (tmp_path / "cpu.shares").read_text() == "1024"


def test_a_cgroup_that_has_gone_needs_no_change(tmp_path: Path) -> None:
    gone = str(tmp_path / "gone")
    plan = CgroupPlan((CgroupDirectory(gone, gone, ("pids",)),))
    assert change(plan, (write("pids.max", "7"),)) == ()


@pytest.fixture
def memory() -> Iterator[CgroupPlan]:
    hierarchy = host_layout().hierarchy_of("memory")
    if hierarchy is None or not host_layout().swap_accounting:
        pytest.skip("limits of memory and swap together are a matter of cgroup v1")
    path = f"{hierarchy.mount}/{RUN}change"
    plan = CgroupPlan((CgroupDirectory(hierarchy.mount, path, ("memory",)),))
    tree.create(plan)
    yield plan
    tree.remove(plan)


M = 1 << 20


def both(memory: int, swap: int) -> tuple[CgroupWrite, CgroupWrite]:
    return (
        write("memory.limit_in_bytes", str(memory)),
        write("memory.memsw.limit_in_bytes", str(swap)),
    )


@pytest.mark.privileged
def test_limits_that_bound_each_other_move_up_and_down(memory: CgroupPlan) -> None:
    path = Path(memory.directories[0].path)

    def now() -> tuple[int, int]:
        files = ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes")
        first, second = (int((path / file).read_text()) for file in files)
        return first, second

    unlimited = now()
    steps = [(64 * M, 64 * M), (256 * M, 512 * M), (32 * M, 32 * M), (40 * M, 41 * M)]
    undo = []
    for step in steps:
        undo.append(change(memory, both(*step)))
        assert now() == step
    with pytest.raises(tree.CgroupError, match="limit_in_bytes: Invalid argument"):
        change(memory, both(64 * M, 16 * M))
    assert now() == steps[-1]
    for earlier, step in zip(reversed(undo), [*steps[-2::-1], unlimited], strict=True):
        change(memory, earlier)
        assert now() == step
