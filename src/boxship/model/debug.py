"""What a daemon says of its own process when it is debugged."""

from msgspec import Struct


class Variables(Struct, frozen=True, rename="pascal", kw_only=True):
    """One answer of ``GET /debug/vars``. ``collector``: objects in each generation of garbage."""

    version: str
    python: str
    arguments: tuple[str, ...]
    pid: int
    started_at: str
    resident_bytes: int
    cpu_seconds: float
    threads: tuple[str, ...]
    tasks: int
    descriptors: int
    modules: int
    collector: tuple[int, int, int]
