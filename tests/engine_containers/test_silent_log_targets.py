"""A log target that takes the connection and then says nothing."""

import asyncio
import threading

import pytest

from boxship.engine.containers.logtarget import try_target
from support.loglisteners import accepted, stream, target
from support.waiting import eventually


def test_a_start_does_not_wait_for_it_for_ever() -> None:
    with stream() as listener:
        address = f"tls://localhost:{listener.getsockname()[1]}"
        with pytest.raises(OSError, match=r"^the target has not answered for 0 s$"):
            asyncio.run(try_target(target("fluentd", fluentd_address=address), 0.05))
        accepted(listener).close()
    eventually(
        lambda: not any(thread.name == "log-target" for thread in threading.enumerate()),
        "the end of the thread that tries",
    )


def test_what_a_target_says_is_told() -> None:
    with stream() as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
    with pytest.raises(OSError, match=r"^dial tcp 127.0.0.1:\d+: Connection refused$"):
        asyncio.run(try_target(target("fluentd", fluentd_address=address)))
