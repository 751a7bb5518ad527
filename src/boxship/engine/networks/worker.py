"""The one thread in which netlink and nftables are spoken to, so that the event loop never waits.

One thread puts changes of the kernel's state in an order, and lets the firewall's changes that have
queued up meanwhile go in one transaction.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class NetworkWorker:
    """Runs blocking network calls one after the other, in the order they were handed in."""

    def __init__(self) -> None:
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="network")

    async def run(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call it in the network thread and return what it returns or raise what it raises.

        A caller that is cancelled takes back a call that has not begun. One that has begun goes on
        to its end, and nobody hears of it: who must know does not let itself be cancelled.
        """
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, lambda: call(*args, **kwargs))

    def close(self) -> None:
        """Wait for what is queued, and end the thread."""
        self._executor.shutdown(wait=True)
