"""What a container uses as ``stats`` shows it, from two samples of its counters."""

from typing import Any

from boxship.cli.format.directive import Column, View
from boxship.cli.format.sizes import binary_size, human_size

_SHORT_ID = 12
DEFAULT_COLUMNS = ("ID", "Name", "CPUPerc", "MemUsage", "MemPerc", "NetIO", "BlockIO", "PIDs")

Json = dict[str, Any]


class StatisticsView:
    """``now`` and the sample before it; without one, processors show what was since the start."""

    def __init__(self, asked: str, now: Json, before: Json | None, *, full: bool) -> None:
        self._asked, self._now, self._full = asked, now, full
        self._before = before or {}

    def container(self) -> str:
        return self._asked

    def id(self) -> str:
        identifier: str = self._now["id"]
        return identifier if self._full else identifier[:_SHORT_ID]

    def name(self) -> str:
        return str(self._now["name"]).removeprefix("/")

    def processors(self) -> str:
        now, before = self._now["cpu_stats"], self._before.get("cpu_stats") or {}
        used = now["cpu_usage"]["total_usage"]
        used -= (before.get("cpu_usage") or {}).get("total_usage", 0)
        passed = now.get("system_cpu_usage", 0) - before.get("system_cpu_usage", 0)
        share = used / passed * now.get("online_cpus", 1) if used > 0 and passed > 0 else 0.0
        return f"{share * 100:.2f}%"

    def memory(self) -> str:
        return f"{binary_size(self._memory)} / {binary_size(self._limit)}"

    def memory_share(self) -> str:
        return f"{self._memory / self._limit * 100 if self._limit else 0.0:.2f}%"

    def network(self) -> str:
        every = (self._now.get("networks") or {}).values()
        received, sent = (sum(each[f"{way}_bytes"] for each in every) for way in ("rx", "tx"))
        return f"{human_size(received, 3)} / {human_size(sent, 3)}"

    def block(self) -> str:
        entries = self._now["blkio_stats"].get("io_service_bytes_recursive") or ()
        read, written = (
            sum(each["value"] for each in entries if each["op"].lower() == way)
            for way in ("read", "write")
        )
        return f"{human_size(read, 3)} / {human_size(written, 3)}"

    def processes(self) -> str:
        return str(self._now["pids_stats"].get("current", 0))

    @property
    def _memory(self) -> int:
        """What is used, without the cache that the kernel would give back at once."""
        memory = self._now["memory_stats"]
        usage, stats = int(memory.get("usage", 0)), memory.get("stats") or {}
        cache = int(stats.get("total_inactive_file", stats.get("inactive_file", 0)))
        return usage - cache if cache < usage else usage

    @property
    def _limit(self) -> int:
        return int(self._now["memory_stats"].get("limit", 0))


STATISTICS: View[StatisticsView] = View(
    go_type="*container.statsContext",
    columns={
        "Container": Column("CONTAINER", StatisticsView.container),
        "ID": Column("CONTAINER ID", StatisticsView.id),
        "Name": Column("NAME", StatisticsView.name),
        "CPUPerc": Column("CPU %", StatisticsView.processors),
        "MemUsage": Column("MEM USAGE / LIMIT", StatisticsView.memory),
        "MemPerc": Column("MEM %", StatisticsView.memory_share),
        "NetIO": Column("NET I/O", StatisticsView.network),
        "BlockIO": Column("BLOCK I/O", StatisticsView.block),
        "PIDs": Column("PIDS", StatisticsView.processes),
    },
    methods={},
)
