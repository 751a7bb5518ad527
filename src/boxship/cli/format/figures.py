"""Numbers of what a container uses, from samples of its counters as the API gives them."""

from typing import Any

Json = dict[str, Any]


def processor_share(now: Json, before: Json | None) -> float:
    """Return how much of one processor it used between the samples: 1.5 is one and a half.

    Without a sample before, it is since the container's start.
    """
    cpu, past = now["cpu_stats"], (before or {}).get("cpu_stats") or {}
    used = cpu["cpu_usage"]["total_usage"] - (past.get("cpu_usage") or {}).get("total_usage", 0)
    passed = cpu.get("system_cpu_usage", 0) - past.get("system_cpu_usage", 0)
    share: float = used / passed * cpu.get("online_cpus", 1) if used > 0 and passed > 0 else 0.0
    return share


def memory_used(now: Json) -> int:
    """Return the bytes in use, without the cache that the kernel would give back at once."""
    memory = now["memory_stats"]
    usage, stats = int(memory.get("usage", 0)), memory.get("stats") or {}
    cache = int(stats.get("total_inactive_file", stats.get("inactive_file", 0)))
    return usage - cache if cache < usage else usage


def memory_limit(now: Json) -> int:
    return int(now["memory_stats"].get("limit", 0))


def transferred(now: Json) -> tuple[int, int]:
    """Return the bytes received and sent by all its interfaces."""
    every = (now.get("networks") or {}).values()
    received, sent = (sum(each[f"{way}_bytes"] for each in every) for way in ("rx", "tx"))
    return received, sent


def moved(now: Json) -> tuple[int, int]:
    """Return the bytes read from and written to all block devices."""
    entries = now["blkio_stats"].get("io_service_bytes_recursive") or ()
    read, written = (
        sum(each["value"] for each in entries if each["op"].lower() == way)
        for way in ("read", "write")
    )
    return read, written


def processes(now: Json) -> int:
    return int(now["pids_stats"].get("current", 0))
