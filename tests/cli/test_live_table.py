"""The table of `top`: numbers from two samples, columns that fit, rows in order."""

from typing import Any

import pytest

from boxship.cli.format.livetable import Machine, Usage, head, ordered, screen, table, usage

MACHINE = Machine("box", 2, 1, 2, 8 << 30)


def sample(cpu: int, system: int, *, rx: int = 0, read: int = 0) -> dict[str, Any]:
    return {
        "cpu_stats": {
            "cpu_usage": {"total_usage": cpu}, "system_cpu_usage": system, "online_cpus": 2,
        },
        "memory_stats": {
            "usage": 300, "limit": 1000, "stats": {"inactive_file": 100},
        },
        "networks": {"eth0": {"rx_bytes": rx, "tx_bytes": 2 * rx}, "eth1": {"rx_bytes": rx,
                     "tx_bytes": 0}},
        "blkio_stats": {
            "io_service_bytes_recursive": [
                {"op": "Read", "value": read}, {"op": "Write", "value": 1},
                {"op": "Total", "value": read + 1},
            ],
        },
        "pids_stats": {"current": 3},
    }  # fmt: skip


LISTED = {"Id": "abc", "Names": ["/web"], "Image": "busybox", "Status": "Up 2 hours"}


def test_rates_are_of_the_time_between_the_samples() -> None:
    before, now = sample(100, 1000), sample(350, 2000, rx=500, read=4000)
    assert usage(LISTED, now, before, 2.0) == Usage(
        name="web", image="busybox", status="Up 2 hours", processor=0.5, memory=200, limit=1000,
        received=500, sent=500, read=2000, written=0, processes=3,
    )  # fmt: skip


def test_one_sample_has_no_rates() -> None:
    first = usage(LISTED, sample(100, 1000, rx=500), None, 0)
    assert (first.processor, first.received, first.read, first.memory) == (0, 0, 0, 200)


def test_counters_of_a_container_that_was_started_again_begin_anew() -> None:
    again = usage(LISTED, sample(10, 2000, rx=5), sample(100, 1000, rx=500), 1.0)
    assert (again.processor, again.received) == (0, 0)


ROWS = [
    Usage("a", "i", "Up", processor=0.1, memory=3, received=5, processes=1),
    Usage("b", "i", "Up", processor=0.5, memory=1, written=9, processes=1),
    Usage("c", "i", "Up", processor=0.1, memory=2, processes=4),
]


@pytest.mark.parametrize(
    ("order", "names"),
    [
        ("cpu", "bac"),
        ("memory", "acb"),
        ("network", "abc"),
        ("disk", "bac"),
        ("processes", "cab"),
        ("name", "abc"),
    ],
)
def test_orders(order: str, names: str) -> None:
    assert "".join(row.name for row in ordered(ROWS, order)) == names


def test_columns_are_left_out_until_it_fits() -> None:
    rows = [Usage("web", "registry.example.org/team/image:tag", "Up 2 hours (healthy)")]
    whole = table(rows, "cpu")
    titles = "NAME IMAGE CPU % ▾ MEMORY MEM % NET IN/s NET OUT/s READ/s WRITE/s PIDS STATUS"
    assert " ".join(whole[0].split()) == titles
    assert "registry.example.org/…" in whole[1]
    for width in (120, 100, 80, 60, 40):
        assert max(map(len, table(rows, "cpu", width))) <= width
    assert "STATUS" not in table(rows, "cpu", 80)[0]
    assert "CPU %" in table(rows, "cpu", 40)[0]


def test_a_screen_is_as_large_as_the_terminal() -> None:
    rows = [Usage(f"c{n:02}", "i", "Up", processor=n) for n in range(30)]
    shown = screen(MACHINE, rows, "cpu", 80, 12)
    assert len(shown) == 12
    assert shown[0] == head(MACHINE, rows)[:80]
    assert shown[3].split()[0] == "c29"
    assert shown[-2] == "… 23 more"
    assert shown[-1].startswith("c CPU  m memory")
    assert len(screen(MACHINE, rows[:2], "cpu", 80, 12)) == 12


def test_the_head_adds_up() -> None:
    assert head(MACHINE, ROWS) == (
        "boxship on box   2 running, 1 stopped   CPU 70.0% of 200%   memory 6B of 8GiB"
    )
