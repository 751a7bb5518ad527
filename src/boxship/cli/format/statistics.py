"""What a container uses as ``stats`` shows it, from two samples of its counters."""

from boxship.cli.format import figures
from boxship.cli.format.directive import Column, View
from boxship.cli.format.figures import Json
from boxship.cli.format.sizes import binary_size, human_size

_SHORT_ID = 12
DEFAULT_COLUMNS = ("ID", "Name", "CPUPerc", "MemUsage", "MemPerc", "NetIO", "BlockIO", "PIDs")


class StatisticsView:
    """``now`` and the sample before it; without one, processors show what was since the start."""

    def __init__(self, asked: str, now: Json, before: Json | None, *, full: bool) -> None:
        self._asked, self._now, self._full = asked, now, full
        self._before = before

    def container(self) -> str:
        return self._asked

    def id(self) -> str:
        identifier: str = self._now["id"]
        return identifier if self._full else identifier[:_SHORT_ID]

    def name(self) -> str:
        return str(self._now["name"]).removeprefix("/")

    def processors(self) -> str:
        return f"{figures.processor_share(self._now, self._before) * 100:.2f}%"

    def memory(self) -> str:
        used, limit = figures.memory_used(self._now), figures.memory_limit(self._now)
        return f"{binary_size(used)} / {binary_size(limit)}"

    def memory_share(self) -> str:
        used, limit = figures.memory_used(self._now), figures.memory_limit(self._now)
        return f"{used / limit * 100 if limit else 0.0:.2f}%"

    def network(self) -> str:
        received, sent = figures.transferred(self._now)
        return f"{human_size(received, 3)} / {human_size(sent, 3)}"

    def block(self) -> str:
        read, written = figures.moved(self._now)
        return f"{human_size(read, 3)} / {human_size(written, 3)}"

    def processes(self) -> str:
        return str(figures.processes(self._now))


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
