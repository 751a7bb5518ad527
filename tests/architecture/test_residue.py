"""What a run of the suite takes for its own when others are on the machine."""

import os
from pathlib import Path

import pytest

from support import residue


@pytest.mark.parametrize(
    ("line", "named"),
    [
        (b"/tmp/pytest-1", True),
        (b"/tmp/pytest-1/test_x0/rootfs", True),
        (b"rw,lowerdir=/tmp/pytest-1/l:/tmp/pytest-10/l", True),
        (b"/tmp/pytest-10/test_x0", False),
        (b"/tmp/pytest-1-copy", False),
    ],
)
def test_a_place_is_not_taken_for_one_whose_name_is_longer(line: bytes, named: bool) -> None:
    assert bool(residue.naming(["/tmp/other", "/tmp/pytest-1"]).search(line)) == named
    assert not residue.naming([]).search(line)


@pytest.mark.privileged
def test_an_empty_cgroup_is_ours_by_its_name() -> None:
    parent = Path(residue.hierarchies()[0])
    ours, others = parent / f"{residue.RUN}residue", parent / f"test-{os.getpid() + 1}-residue"
    before = residue.account()
    ours.mkdir()
    others.mkdir()
    try:
        assert residue.account().beyond(before) == {"cgroups": [str(ours)]}
    finally:
        ours.rmdir()
        others.rmdir()
