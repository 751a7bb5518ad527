"""Real-time processor time for containers: their parent cgroups must have it to give it away.

With ``CONFIG_RT_GROUP_SCHED`` a new cgroup (version 1) has none, and a child's share is refused
until all above it have one; ``cpu-rt-period`` and ``cpu-rt-runtime`` of the daemon say how much.
"""

import os

from boxship.base.errors import UnavailableError
from boxship.engine.settings import EngineSettings
from boxship.runtime.cgroups.layout import Layout


def allow(path: str, layout: Layout, settings: EngineSettings) -> None:
    """Give the share to every cgroup above ``path``, from the top down. UnavailableError."""
    cpu = layout.hierarchy_of("cpu")
    values = {
        "cpu.rt_period_us": settings.cpu_rt_period,
        "cpu.rt_runtime_us": settings.cpu_rt_runtime,
    }
    if cpu is None or not any(values.values()):
        return
    directory = cpu.mount
    for name in path.strip("/").split("/")[:-1]:
        directory = f"{directory}/{name}"
        try:
            os.makedirs(directory, exist_ok=True)
            for file, value in values.items():
                if value:
                    _write(f"{directory}/{file}", str(value))
        except OSError as error:
            raise UnavailableError(
                f"cannot give real-time processor time to {directory}: {error.strerror}"
            ) from error


def _write(path: str, text: str) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, text.encode())
    finally:
        os.close(fd)
