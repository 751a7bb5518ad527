"""What limits depend on: processors and memory nodes, and which limits the kernel can set."""

import os
from dataclasses import dataclass

_MOST = 8192


@dataclass(frozen=True)
class Machine:
    """Processors and memory nodes that containers can be given, and the limits there are not."""

    cpus: frozenset[int]
    memory_nodes: frozenset[int]
    missing: frozenset[str] = frozenset()
    """Limits that the kernel does not have, by the names in ``support.py``."""
    limits_size: bool = False
    """What containers write can be limited."""

    @property
    def cpu_count(self) -> int:
        return len(self.cpus)


def this_machine(missing: frozenset[str] = frozenset(), *, limits_size: bool = False) -> Machine:
    """Look at the machine we are on; ``missing`` are the limits it does not have."""
    try:
        with open("/sys/devices/system/node/online") as file:
            nodes = parse_list(file.read().strip())
    except (OSError, ValueError):
        nodes = frozenset({0})
    return Machine(frozenset(os.sched_getaffinity(0)), nodes, missing, limits_size)


def parse_list(text: str) -> frozenset[int]:
    """Read the kernel's list format, ``0-3,5``. ValueError: what is wrong."""
    found: set[int] = set()
    for part in text.split(","):
        first, dash, last = part.partition("-")
        if not first.isdigit() or (dash and not last.isdigit()):
            raise ValueError(f"invalid format: {text}")
        low, high = int(first), int(last or first)
        if high < low:
            raise ValueError(f"invalid format: {text}")
        if high >= _MOST:
            raise ValueError(f"value of out range, maximum is {_MOST}")
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
