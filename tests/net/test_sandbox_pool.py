"""Sandboxes made ahead."""

import os
import threading
from ipaddress import ip_interface

import pytest

from boxship.net.owned import Owner
from boxship.net.pool import SandboxPool
from boxship.net.sandbox import Nic, Sandbox

pytestmark = pytest.mark.privileged


def test_it_fills_and_refills(host) -> None:
    with SandboxPool(3, host=host) as pool:
        assert pool.wait_full(5)
        taken = [pool.take() for _ in range(7)]
        assert len({sandbox.namespace.inode for sandbox in taken}) == 7
        for number, sandbox in enumerate(taken):
            sandbox.add(Nic("br0", addresses=(ip_interface(f"10.5.0.{number + 2}/16"),)))
            sandbox.close()
        assert pool.wait_full(5)


def test_what_cannot_be_made_is_an_error_of_the_taker(host) -> None:
    before = len(os.listdir("/proc/self/fd"))
    overlapping = Owner(((0, 1000, 10), (5, 2000, 10)), ((0, 1000, 10),))
    with (
        SandboxPool(1, host=host, users=overlapping) as pool,
        pytest.raises(OSError, match="Invalid argument"),
    ):
        pool.take(overlapping)
    assert len(os.listdir("/proc/self/fd")) < before


def test_without_a_size_each_is_made_on_the_spot(host) -> None:
    with SandboxPool(0, host=host) as pool, pool.take() as one, pool.take() as two:
        assert one.namespace.inode != two.namespace.inode


def test_many_takers_at_once_get_one_each(host) -> None:
    with SandboxPool(4, host=host) as pool:
        taken: list[Sandbox] = []
        threads = [
            threading.Thread(target=lambda: taken.extend(pool.take() for _ in range(5)))
            for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len({sandbox.namespace.inode for sandbox in taken}) == 40
        for sandbox in taken:
            sandbox.close()


def test_nothing_remains_of_a_pool(place, host) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        pool = SandboxPool(4, host=place.host())
        pool.start()
        assert pool.wait_full(5)
        pool.close()
        pool.close()
    assert len(os.listdir("/proc/self/fd")) == before
