"""What a family of processes has in memory, from /proc."""

from collections.abc import Iterable
from pathlib import Path


def pss(processes: Iterable[int]) -> float:
    """Proportional set size in MB: a page shared by n processes counts 1/n in each."""
    return sum(_field(pid, "smaps_rollup", "Pss:") for pid in processes)


def rss(processes: Iterable[int]) -> float:
    """Resident set size in MB; shared pages count in each process."""
    return sum(_field(pid, "status", "VmRSS:") for pid in processes)


def peak(processes: Iterable[int]) -> float:
    """The most that each has ever had resident, in MB, all added up."""
    return sum(_field(pid, "status", "VmHWM:") for pid in processes)


def _field(pid: int, file: str, name: str) -> float:
    try:
        text = Path(f"/proc/{pid}/{file}").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0  # it has ended meanwhile
    for line in text.splitlines():
        if line.startswith(name):
            return int(line.split()[1]) * 1024 / 1e6
    if "State:\tZ" in text:
        return 0  # it is about to
    raise LookupError(f"{name} in /proc/{pid}/{file}")
