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
from typing import Final

from boxship.kernel.processes import fork_sibling
from boxship.runtime import messages as m
from boxship.runtime.blueprint import CgroupPlan, Plan, ProcessPlan
from boxship.runtime.control_codec import encode
from boxship.runtime.process import Spawned
from boxship.runtime.shim.containment import Descriptors
from boxship.runtime.shim.directory import remove_directory
from boxship.runtime.shim.main import Prepared

TIMES: Final = 10
"""CPython 3.11 specializes a function when it runs for the eighth time."""


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
        pidfd: int,
        plan: ProcessPlan,
        cgroup: CgroupPlan,
        streams: Descriptors,
        *,
        terminal: bool,
    ) -> Spawned:
        raise NotImplementedError

    def destroy(self, plan: Plan) -> None:
        pass

    def out_of_memory(self, cgroup: CgroupPlan) -> bool:
        return False

    def processes(self, cgroup: CgroupPlan) -> tuple[int, ...]:
        return ()


def rehearse(directory: str) -> None:
    """Play some lives in ``directory``, which is made and removed. Failing is no harm.

    SIGCHLD must not be ignored.
    """
    with contextlib.suppress(OSError):
        for _ in range(TIMES):
            _play(directory)
    remove_directory(directory)
    gc.collect()


def _play(directory: str) -> None:
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
    Prepared(Stage()).keep(shim)
    daemon.close()
