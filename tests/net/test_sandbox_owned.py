"""Sandboxes that belong to the users of a container."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_interface, ip_network

import pytest

from boxship.net.owned import Owner
from boxship.net.pool import SandboxPool
from boxship.net.sandbox import Nic, Route, Sandbox

pytestmark = pytest.mark.privileged

OWNER = Owner(((0, 100000, 65536),), ((0, 200000, 1000), (1000, 300000, 64536)))


def inside(sandbox: Sandbox, *command: str) -> str:
    """Return what a program prints that is root in there, and nobody here."""
    assert sandbox.user_namespace is not None
    enter = [
        "nsenter", f"--user={sandbox.user_namespace.path}", f"--net={sandbox.namespace.path}",
        "--setuid=0", "--setgid=0", "--",
    ]  # fmt: skip
    done = subprocess.run(
        [*enter, *command], check=False, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    return done.stdout


def test_its_root_has_rights_over_it_and_a_sysfs(place, host) -> None:
    with Sandbox.make(host, pair=True, users=OWNER) as sandbox:
        sandbox.add(Nic("br0", addresses=(ip_interface("10.5.0.2/16"),)))
        sandbox.set_routes([Route(ip_network("0.0.0.0/0"), ip_interface("10.5.0.1").ip)])
        assert inside(sandbox, "ip", "link", "set", "eth0", "mtu", "1400") == ""
        assert "mtu 1400" in inside(sandbox, "ip", "-o", "link", "show", "eth0")
        script = "mount -t sysfs sysfs /sys && ls /sys/class/net"
        mounted = inside(sandbox, "unshare", "--mount", "--propagation=private", "sh", "-c", script)
        assert mounted.split() == ["eth0", "lo"]
        maps = inside(sandbox, "cat", "/proc/self/uid_map", "/proc/self/gid_map")
        assert [tuple(map(int, line.split())) for line in maps.splitlines()] == [
            *OWNER.uid_map,
            *OWNER.gid_map,
        ]


def test_it_may_belong_to_the_users_of_a_process(host) -> None:
    command = ["unshare", "--user", "--map-root-user", "sh", "-c", "echo ready; read line"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        with Sandbox.make(host, users=process.pid) as sandbox:
            sandbox.add(Nic("br0", addresses=(ip_interface("10.5.0.2/16"),)))
            assert sandbox.user_namespace is not None
            inode = os.stat(f"/proc/{process.pid}/ns/user").st_ino
            assert os.stat(sandbox.user_namespace.path).st_ino == inode
            assert inside(sandbox, "ip", "link", "set", "eth0", "mtu", "1400") == ""
        process.communicate(b"\n")


def test_the_users_of_the_host_are_nobodys_to_enter(host) -> None:
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(OSError, match="Invalid argument"):
        Sandbox.make(host, users=os.getpid())
    with pytest.raises(FileNotFoundError):
        Sandbox.make(host, users=1 << 22)
    assert len(os.listdir("/proc/self/fd")) == before


def test_without_an_owner_it_has_none(host) -> None:
    with Sandbox.make(host) as sandbox:
        assert sandbox.user_namespace is None


def test_nobody_remains_in_it(host) -> None:
    def children() -> str:
        with open(f"/proc/self/task/{threading.get_native_id()}/children") as file:
            return file.read()

    known = children()
    before = len(os.listdir("/proc/self/fd"))
    with Sandbox.make(host, users=OWNER) as one, Sandbox.make(host, users=OWNER) as two:
        assert one.user_namespace is not None
        assert two.user_namespace is not None
        inodes = {os.stat(one.user_namespace.path).st_ino, os.stat(two.user_namespace.path).st_ino}
        assert len(inodes) == 2
        assert children() == known
    assert len(os.listdir("/proc/self/fd")) == before


def test_maps_that_the_kernel_refuses_leave_nothing(host) -> None:
    before = len(os.listdir("/proc/self/fd"))
    overlapping = Owner(((0, 1000, 10), (5, 2000, 10)), ((0, 1000, 10),))
    with pytest.raises(OSError, match="Invalid argument"):
        Sandbox.make(host, users=overlapping)
    assert len(os.listdir("/proc/self/fd")) == before


@contextmanager
def busy_threads(count: int) -> Iterator[None]:
    """Threads that want the interpreter's lock all the time, passed on as in the daemon."""
    stop = threading.Event()

    def busy() -> None:
        while not stop.is_set():
            bytes(2000)

    threads = [threading.Thread(target=busy) for _ in range(count)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(0.0005)
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        sys.setswitchinterval(interval)
        stop.set()
        for thread in threads:
            thread.join()


def test_a_pool_has_some_ready_beside_other_threads(host) -> None:
    """The fork is of a program whose other threads hold locks all the time."""
    with busy_threads(1), SandboxPool(2, host=host, users=OWNER) as pool:
        assert pool.wait_full(60)
        for _ in range(8):
            with pool.take(OWNER) as sandbox:
                assert sandbox.user_namespace is not None
        with pool.take() as sandbox:
            assert sandbox.user_namespace is None


def test_a_fork_that_gets_stuck_is_replaced(host) -> None:
    """Beside busy threads one in fifty children waits for a lock that nobody gives back."""
    command = ["unshare", "--user", "--map-root-user", "sh", "-c", "echo ready; read line"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        with busy_threads(2):
            for _ in range(40):
                Sandbox.make(host, users=process.pid).close()
        process.communicate(b"\n")
