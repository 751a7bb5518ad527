"""Containers' counters as families of samples.

What cAdvisor counts too has its names and labels, so that dashboards made for it show these.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress

from msgspec import UNSET, UnsetType

from boxship.base.metrics import Family, Sample
from boxship.engine.containers import statistics
from boxship.engine.containers.context import Context
from boxship.engine.containers.live import Container
from boxship.engine.containers.record import ContainerRecord
from boxship.model.statistics import BlockStatistics, Statistics
from boxship.runtime.logs.losses import read_losses

_NS = 10**9
_LABELS = ("id", "name", "image")
_ON_INTERFACE = (*_LABELS, "interface")
_NETWORK = (
    ("receive_bytes", "rx_bytes", "Bytes received"),
    ("receive_packets", "rx_packets", "Packets received"),
    ("receive_errors", "rx_errors", "Errors while receiving"),
    ("receive_packets_dropped", "rx_dropped", "Packets dropped while receiving"),
    ("transmit_bytes", "tx_bytes", "Bytes sent"),
    ("transmit_packets", "tx_packets", "Packets sent"),
    ("transmit_errors", "tx_errors", "Errors while sending"),
    ("transmit_packets_dropped", "tx_dropped", "Packets dropped while sending"),
)

Number = float | UnsetType
Read = Callable[[ContainerRecord, Statistics], Number]


def _unset(number: int | UnsetType, per: int = 1) -> Number:
    return UNSET if isinstance(number, UnsetType) else number / per


def _memory(name: str) -> Read:
    def read(_record: ContainerRecord, sampled: Statistics) -> Number:
        stats = sampled.memory_stats.stats
        return UNSET if isinstance(stats, UnsetType) else stats.get(name, UNSET)

    return read


def _block(operation: str) -> Read:
    def read(_record: ContainerRecord, sampled: Statistics) -> Number:
        return transferred(sampled.blkio_stats, operation)

    return read


_COLUMNS: tuple[tuple[str, str, str, Read], ...] = (
    (
        "container_cpu_usage_seconds_total", "counter", "Processor time used",
        lambda _, s: s.cpu_stats.cpu_usage.total_usage / _NS,
    ),
    (
        "container_cpu_user_seconds_total", "counter", "Processor time used in user mode",
        lambda _, s: s.cpu_stats.cpu_usage.usage_in_usermode / _NS,
    ),
    (
        "container_cpu_system_seconds_total", "counter", "Processor time used in the kernel",
        lambda _, s: s.cpu_stats.cpu_usage.usage_in_kernelmode / _NS,
    ),
    (
        "container_cpu_cfs_throttled_seconds_total", "counter", "Time spent throttled by a limit",
        lambda _, s: s.cpu_stats.throttling_data.throttled_time / _NS,
    ),
    (
        "container_memory_usage_bytes", "gauge", "Memory in use, page cache included",
        lambda _, s: _unset(s.memory_stats.usage),
    ),
    ("container_memory_rss", "gauge", "Anonymous memory", _memory("rss")),
    ("container_memory_cache", "gauge", "Page cache", _memory("cache")),
    (
        "container_spec_memory_limit_bytes", "gauge", "Limit of memory: its own or the machine's",
        lambda _, s: _unset(s.memory_stats.limit),
    ),
    ("container_fs_reads_bytes_total", "counter", "Bytes read from block devices", _block("read")),
    (
        "container_fs_writes_bytes_total", "counter", "Bytes written to block devices",
        _block("write"),
    ),
    (
        "container_threads", "gauge", "Processes and threads",
        lambda _, s: _unset(s.pids_stats.current),
    ),
    (
        "container_start_time_seconds", "gauge", "When it was started, in seconds since 1970",
        lambda r, _: r.state.started_ns / _NS,
    ),
)  # fmt: skip


def transferred(found: BlockStatistics, operation: str) -> int:
    """Return the bytes of all devices; ``operation`` is ``read`` or ``write``."""
    entries = found.io_service_bytes_recursive or ()
    return sum(entry.value for entry in entries if entry.op.lower() == operation)


def families(context: Context, containers: Iterable[Container]) -> Iterator[Family]:
    """Yield the families of all containers that live; blocking, a millisecond for each."""
    sampled = [(container.record, _sample(context, container)) for container in containers]
    living = [(record, found) for record, found in sampled if found is not None]
    for name, kind, text, read in _COLUMNS:
        numbers = ((_values(record), read(record, found)) for record, found in living)
        yield Family(
            name,
            kind,
            text,
            _LABELS,
            tuple(Sample(v, n) for v, n in numbers if not isinstance(n, UnsetType)),
        )
    yield from _network(living)
    yield Family(
        "boxship_container_restarts_total", "counter", "Restarts by its policy", _LABELS,
        tuple(Sample(_values(r), r.state.restart_count) for r, _ in living),
    )  # fmt: skip
    yield Family(
        "boxship_container_log_lost_lines_total", "counter",
        "Lines of output that did not get into the log", (*_LABELS, "reason"),
        tuple(sample for record, _ in living for sample in _losses(context, record)),
    )  # fmt: skip


def _losses(context: Context, record: ContainerRecord) -> Iterator[Sample]:
    lost = read_losses(context.paths.of(record.id).directory)
    for reason, lines in (("disk", lost.disk), ("buffer", lost.buffer), ("target", lost.target)):
        if lines:
            yield Sample((*_values(record), reason), lines)


def _network(living: list[tuple[ContainerRecord, Statistics]]) -> Iterator[Family]:
    samples: dict[str, list[Sample]] = defaultdict(list)
    for record, found in living:
        interfaces = {} if isinstance(found.networks, UnsetType) else found.networks
        for interface, counters in interfaces.items():
            values = (*_values(record), interface)
            for name, field, _ in _NETWORK:
                samples[name].append(Sample(values, getattr(counters, field)))
    for name, _, text in _NETWORK:
        full = f"container_network_{name}_total"
        yield Family(full, "counter", text, _ON_INTERFACE, tuple(samples[name]))


def _sample(context: Context, container: Container) -> Statistics | None:
    if not container.record.state.alive:
        return None
    with suppress(OSError):  # it ended meanwhile
        return statistics.sample(context, container)
    return None


def _values(record: ContainerRecord) -> tuple[str, ...]:
    return (record.id, record.name, record.image_ref)
