"""What a container uses at a moment, with the names that Docker gives it.

Times of processors are nanoseconds, sizes bytes. What the machine does not count is absent: cgroup
v2 tells no processor apart from another, for instance.
"""

from msgspec import UNSET, Struct, UnsetType

NEVER = "0001-01-01T00:00:00Z"


class CpuUsage(Struct, frozen=True, kw_only=True):
    total_usage: int = 0
    percpu_usage: tuple[int, ...] | UnsetType = UNSET
    usage_in_kernelmode: int = 0
    usage_in_usermode: int = 0


class Throttling(Struct, frozen=True):
    periods: int = 0
    throttled_periods: int = 0
    throttled_time: int = 0


class CpuStatistics(Struct, frozen=True):
    """``system_cpu_usage`` is the time of all processors together, idle time included."""

    cpu_usage: CpuUsage = CpuUsage()
    system_cpu_usage: int | UnsetType = UNSET
    online_cpus: int | UnsetType = UNSET
    throttling_data: Throttling = Throttling()


class MemoryStatistics(Struct, frozen=True):
    usage: int | UnsetType = UNSET
    max_usage: int | UnsetType = UNSET
    stats: dict[str, int] | UnsetType = UNSET
    failcnt: int | UnsetType = UNSET
    limit: int | UnsetType = UNSET


class PidsStatistics(Struct, frozen=True):
    current: int | UnsetType = UNSET
    limit: int | UnsetType = UNSET


class BlockEntry(Struct, frozen=True):
    major: int
    minor: int
    op: str
    value: int


Entries = tuple[BlockEntry, ...] | None


class BlockStatistics(Struct, frozen=True):
    io_service_bytes_recursive: Entries = None
    io_serviced_recursive: Entries = None
    io_queue_recursive: Entries = None
    io_service_time_recursive: Entries = None
    io_wait_time_recursive: Entries = None
    io_merged_recursive: Entries = None
    io_time_recursive: Entries = None
    sectors_recursive: Entries = None


class InterfaceStatistics(Struct, frozen=True):
    rx_bytes: int = 0
    rx_packets: int = 0
    rx_errors: int = 0
    rx_dropped: int = 0
    tx_bytes: int = 0
    tx_packets: int = 0
    tx_errors: int = 0
    tx_dropped: int = 0


class Statistics(Struct, frozen=True):
    """One answer of ``GET /containers/{id}/stats``; ``precpu_stats`` is of the one before."""

    name: str
    id: str
    os_type: str = "linux"
    read: str = NEVER
    preread: str = NEVER
    pids_stats: PidsStatistics = PidsStatistics()
    blkio_stats: BlockStatistics = BlockStatistics()
    num_procs: int = 0
    storage_stats: dict[str, int] = {}
    cpu_stats: CpuStatistics = CpuStatistics()
    precpu_stats: CpuStatistics = CpuStatistics()
    memory_stats: MemoryStatistics = MemoryStatistics()
    networks: dict[str, InterfaceStatistics] | UnsetType = UNSET
