"""Taking times in turns, so that whatever else the machine does meets both engines alike."""

import statistics
import time
from collections.abc import Callable, Mapping
from typing import TypeVar

K = TypeVar("K")


def medians(actions: Mapping[K, Callable[[], object]], rounds: int) -> dict[K, float]:
    """The median duration of each action in milliseconds; a first round is not counted."""
    for action in actions.values():
        action()
    taken: dict[K, list[float]] = {name: [] for name in actions}
    for _ in range(rounds):
        for name, action in actions.items():
            taken[name].append(milliseconds(action))
    return {name: statistics.median(times) for name, times in taken.items()}


def milliseconds(action: Callable[[], object]) -> float:
    begin = time.perf_counter_ns()
    action()
    return (time.perf_counter_ns() - begin) / 1e6
