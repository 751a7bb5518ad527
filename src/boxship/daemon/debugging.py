"""A look into the daemon while it runs: what it holds, where each thread and task stands, and where
its time goes. Loaded when somebody asks.
"""

import asyncio
import gc
import os
import sys
import threading
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from types import FrameType

from boxship import __version__
from boxship.base.clock import format_ns
from boxship.base.files import write_atomic
from boxship.daemon import process
from boxship.model.debug import Variables

_INTERVAL = 0.005
"""Seconds between two samples: 200 looks a second, each of some ten microseconds a thread."""


def variables() -> Variables:
    """Return what the process holds."""
    first, second, third = gc.get_count()
    return Variables(
        version=__version__,
        python=sys.version.partition(" ")[0],
        arguments=tuple(sys.argv),
        pid=os.getpid(),
        started_at=format_ns(int(process.started() * 1000) * 10**6),
        resident_bytes=process.resident(),
        cpu_seconds=time.process_time(),
        threads=tuple(sorted(thread.name for thread in threading.enumerate())),
        tasks=len(asyncio.all_tasks()),
        descriptors=process.descriptors(),
        modules=len(sys.modules),
        collector=(first, second, third),
    )


def stacks() -> str:
    """Return where each thread and each task of the event loop stands."""
    return "\n".join((*_threads(), *_tasks()))


def write_stacks(directory: str) -> str:
    """Write that to a file of its own in ``directory``; return its path. OSError."""
    moment = time.strftime("%Y-%m-%dT%H%M%SZ", time.gmtime())
    path = os.path.join(directory, f"stacks-{moment}-{os.getpid()}.log")
    write_atomic(path, stacks().encode(), mode=0o600)
    return path


async def profile(seconds: float) -> str:
    """Look at all threads again and again; return the stacks that were seen, and how often each.

    The form is that of folded stacks, a line each: ``thread;outermost;…;innermost count``.
    """
    seen: Counter[str] = Counter()
    stop = threading.Event()
    sampler = threading.Thread(target=_sample, args=(seen, stop), name="profiler", daemon=True)
    sampler.start()
    try:
        await asyncio.sleep(seconds)
    finally:
        stop.set()
        sampler.join()
    return "".join(f"{stack} {count}\n" for stack, count in sorted(seen.items()))


def _sample(seen: "Counter[str]", stop: threading.Event) -> None:
    itself = threading.get_ident()
    while not stop.wait(_INTERVAL):
        names = {thread.ident: thread.name for thread in threading.enumerate()}
        for ident, frame in sys._current_frames().items():
            if ident != itself:
                seen[";".join((names.get(ident, "unnamed"), *_folded(frame)))] += 1


def _folded(frame: FrameType | None) -> list[str]:
    calls = []
    while frame is not None:
        module = frame.f_globals.get("__name__", "?")
        calls.append(f"{module}.{frame.f_code.co_qualname}")
        frame = frame.f_back
    return calls[::-1]


def _threads() -> Iterator[str]:
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    for ident, frame in sys._current_frames().items():
        yield f"thread {names.get(ident, 'unnamed')}:"
        yield "".join(traceback.format_stack(frame))


def _tasks() -> Iterator[str]:
    for task in asyncio.all_tasks():
        yield f"task {task.get_name()}: {task.get_coro()}"
        yield "".join(
            line for frame in task.get_stack() for line in traceback.format_stack(frame, 1)
        )
