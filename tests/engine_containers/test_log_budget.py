"""What goes first when logs take more than they may."""

import pytest

from boxship.engine.containers.logbudget import Cut, Log, RotatedFile, plan
from boxship.engine.containers.logsegment import rotated


def log(name: str, current: int, *files: tuple[int, int]) -> Log:
    """Each file by when it was written last, and its size; the oldest first."""
    found = (RotatedFile(f"{name}.{written}", size, written) for written, size in files)
    return Log(name, current, tuple(found))


def paths(cut: Cut) -> list[str]:
    return [file.path for _, file in cut.files]


LOGS = (
    log("a", 10, (1, 100), (4, 100), (6, 100)),
    log("b", 10, (2, 100), (3, 100)),
    log("c", 10, (5, 100)),
    log("d", 10),
)  # 640 in all


@pytest.mark.parametrize(
    ("budget", "gone", "excess"),
    [
        (640, [], 0),
        (639, ["a.1"], 0),
        (540, ["a.1"], 0),
        (539, ["a.1", "b.2"], 0),
        (200, ["a.1", "b.2", "b.3", "a.4", "c.5"], 0),
        (40, ["a.1", "b.2", "b.3", "a.4", "c.5", "a.6"], 0),
        (15, ["a.1", "b.2", "b.3", "a.4", "c.5", "a.6"], 25),
    ],
)
def test_the_oldest_go_until_it_fits(budget: int, gone: list[str], excess: int) -> None:
    cut = plan(LOGS, budget)
    assert (paths(cut), cut.excess) == (gone, excess)


def test_of_one_log_its_oldest_goes_whatever_the_times_say() -> None:
    """A gap would hide what is behind it; compression gives a file a later time."""
    assert paths(plan([log("a", 0, (9, 10), (2, 10))], 10)) == ["a.9"]


def test_no_logs_fit_any_budget() -> None:
    assert plan([], 0) == Cut(())


def test_rotated_files_are_found_oldest_first(tmp_path) -> None:
    for name in ("x", "x.1", "x.2.gz", "x.10", "x.gz.new", "x.1.gz.new", "xy.1", "x.y"):
        (tmp_path / name).touch()
    assert [path.rpartition("/")[2] for path in rotated(f"{tmp_path}/x")] == [
        "x.10",
        "x.2.gz",
        "x.1",
    ]
