"""Whole lives of shims, played in the launcher before the first real one is forked.

A forked process shares memory until it writes. CPython writes a lot the first times code runs: it
specializes bytecode in place, fills caches of types and methods, makes free lists and takes memory
from half-empty pools all over the heap. After a few rehearsals that has happened, in pages that
all shims share, and objects that come and go reuse the same few blocks. It halves what a shim has
for itself.
"""

import _socket
import contextlib
import gc
import os
import sys
import time
from typing import Final

from boxship.kernel.processes import fork_sibling
from boxship.runtime import messages as m
from boxship.runtime.blueprint import CgroupPlan, Plan, ProcessPlan
from boxship.runtime.control_codec import encode
from boxship.runtime.process import Spawned
from boxship.runtime.shim.containment import Descriptors, Init
from boxship.runtime.shim.directory import remove_directory
from boxship.runtime.shim.main import Prepared

TIMES: Final = 10
"""CPython 3.11 specializes a function when it runs for the eighth time."""

_PATIENCE: Final = 1.0
"""Seconds for all of it, which takes less than a tenth of one."""

_POOL: Final = 16 * 1024
_POOL_HEADER: Final = 48
_ALIGNMENT: Final = 16
_LARGEST: Final = 512
_BYTES_HEADER: Final = sys.getsizeof(b"")
_MOST_BLOCKS: Final = 20_000
_blocks: Final[list[object]] = []


class Stage:
    """A container in which nothing happens: its init prints a line and ends."""

    def spawn_init(self, plan: Plan, streams: Descriptors, *, terminal: bool) -> Spawned:
        pid = fork_sibling()
        if pid == 0:
            os.write(streams[1], b"rehearsal\n")
            os._exit(0)
        return Spawned(pid, -1, -1, (), ())

    def spawn_exec(
        self,
        init: Init,
        plan: ProcessPlan,
        streams: Descriptors,
        *,
        terminal: bool,
        name: str,
    ) -> Spawned:
        raise NotImplementedError

    def destroy(self, plan: Plan) -> None:
        pass

    def out_of_memory(self, cgroup: CgroupPlan) -> bool:
        return False

    def memory(self, cgroup: CgroupPlan) -> tuple[int, int]:
        return 0, 0

    def processes(self, cgroup: CgroupPlan) -> tuple[int, ...]:
        return ()


def rehearse(directory: str) -> None:
    """Play some lives in ``directory``, which is made and removed. Failing is no harm.

    SIGCHLD must not be ignored.
    """
    gc.collect()
    for size in range(_ALIGNMENT, _LARGEST + 1, _ALIGNMENT):
        _fill_pools(size)
    deadline = time.monotonic() + _PATIENCE
    with contextlib.suppress(OSError):
        for _ in range(TIMES):
            if (left := deadline - time.monotonic()) > 0:
                _play(directory, left)
    remove_directory(directory)
    gc.collect()


def _fill_pools(size: int) -> None:
    """Use up the free blocks of ``size`` bytes, until the allocator begins a new pool.

    Importing leaves half-empty pools behind, whose free blocks are strewn over the whole heap. A
    shim's few objects would come to lie there, each in a page of its own; after this they lie side
    by side. Only where blocks are found does it depend on CPython's allocator, and with another
    one it does no harm.
    """
    previous = in_a_row = 0
    for _ in range(_MOST_BLOCKS):
        block = _block(size)
        _blocks.append(block)
        follows = in_a_row > 0 and id(block) == previous + size
        begins = id(block) % _POOL == _POOL_HEADER
        in_a_row = in_a_row + 1 if follows else int(begins)
        if in_a_row == 3:
            return
        previous = id(block)


def _block(size: int) -> object:
    """Return an object that takes ``size`` bytes."""
    if size == _ALIGNMENT:
        return object()
    if size == 2 * _ALIGNMENT:
        return float(size)
    return bytes(size - _BYTES_HEADER)


def _play(directory: str, at_most: float) -> None:
    daemon, shim = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_STREAM, 0)
    request = m.Start(
        container_id="rehearsal",
        directory=directory,
        plan=Plan("rehearsal", ProcessPlan(args=("",))).to_plain(),
        log=m.LogConfig(path="/dev/null"),
    )
    daemon.send(encode(request, seq=1))
    daemon.send(encode(m.StateQuery(), seq=2))
    # The daemon leaves; so does the shim when the container has ended.
    daemon.shutdown(_socket.SHUT_WR)
    # A shim that can't write down how its container ended, because the directory is gone or the
    # disk full, stays until it is asked. Here nobody would ever ask.
    Prepared(Stage()).keep(shim, at_most=at_most)
    daemon.close()
