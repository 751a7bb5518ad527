"""What limits depend on: how many processors and memory nodes there are."""

import os
from dataclasses import dataclass


@dataclass(frozen=True)
class Machine:
    """Processors and memory nodes that containers can be given."""

    cpus: frozenset[int]
    memory_nodes: frozenset[int]

    @property
    def cpu_count(self) -> int:
        return len(self.cpus)


def this_machine() -> Machine:
    """Look at the machine we are on."""
    try:
        with open("/sys/devices/system/node/online") as file:
            nodes = parse_list(file.read().strip())
    except (OSError, ValueError):
        nodes = frozenset({0})
    return Machine(frozenset(os.sched_getaffinity(0)), nodes)


def parse_list(text: str) -> frozenset[int]:
    """Read the kernel's list format, ``0-3,5``. ValueError: the part that is wrong."""
    found: set[int] = set()
    for part in text.split(","):
        first, dash, last = part.partition("-")
        if not first.isdigit() or (dash and not last.isdigit()):
            raise ValueError(f"invalid format: {part}")
        low, high = int(first), int(last or first)
        if high < low or high >= 8192:
            raise ValueError(f"invalid format: {part}")
        found.update(range(low, high + 1))
    return frozenset(found)


def format_list(numbers: frozenset[int]) -> str:
    """Write the kernel's list format."""
    ranges: list[tuple[int, int]] = []
    for number in sorted(numbers):
        if ranges and ranges[-1][1] == number - 1:
            ranges[-1] = (ranges[-1][0], number)
        else:
            ranges.append((number, number))
    return ",".join(f"{low}" if low == high else f"{low}-{high}" for low, high in ranges)
