"""What the default profile keeps from a container: system calls, devices, the host's terminal.

Calls that no shell makes are made by a process of the container's in its last moment before
``execve``: filter, capabilities and identity are final by then.
"""

import ctypes
import errno
import fcntl
import os
import signal
import termios
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from boxship.oci.runtime import Capabilities
from boxship.runtime import enter
from boxship.runtime.capabilities import CAPABILITIES as KNOWN
from boxship.runtime.defaults import ALL_DEVICES, CAPABILITIES
from boxship.runtime.process import destroy, spawn_init
from boxship.runtime.seccomp.compiler import _numbers
from support.boxes import Box, captured, in_a_shim

pytestmark = pytest.mark.privileged

Weaken = pytest.MonkeyPatch
EVERYTHING = Capabilities(tuple(KNOWN), tuple(KNOWN), (), tuple(KNOWN), ())
_LIBC = ctypes.CDLL(None, use_errno=True)
_NUMBERS = _numbers()[os.uname().machine]
_AF_VSOCK = 40
_NEW_USER, _NEW_CGROUP, _NEW_MOUNT = 0x10000000, 0x02000000, 0x00020000
_SESSION = -3


def call(name: str, *arguments: int) -> str:
    """Make a system call; return the name of its error, or nothing."""
    if _LIBC.syscall(_NUMBERS[name], *(ctypes.c_long(a) for a in arguments)) >= 0:
        return ""
    return errno.errorcode[ctypes.get_errno()]


def confined(box: Box, monkeypatch: Weaken, attempt: Callable[[], str], **changes: object) -> str:
    """Make the attempt as the container's process; return what came of it."""

    def execute(_: enter.Entry) -> None:
        os.write(1, attempt().encode())
        os._exit(0)

    with monkeypatch.context() as patch:
        patch.setattr(enter, "execute", execute)
        result = box.run("true", **changes)
    assert result.failure is None, result.failure
    return result.output


UNPRIVILEGED = {
    "vsock": ("socket", _AF_VSOCK, 1, 0),
    "io_uring": ("io_uring_setup", 1, 0),
    "perf": ("perf_event_open", 0, 0, -1, -1, 0),
    "keyctl": ("keyctl", 0, _SESSION, 0),
    "add_key": ("add_key", 0, 0, 0, 0, _SESSION),
    "request_key": ("request_key", 0, 0, 0, _SESSION),
    "user namespace": ("unshare", _NEW_USER),
    "release_agent by unshare": ("unshare", _NEW_USER | _NEW_CGROUP | _NEW_MOUNT),
    "clone into a user namespace": ("clone", _NEW_USER | 17, 0, 0, 0, 0),
    "personality": ("personality", 0x0040000),
}
"""What the kernel would let a process without capabilities try."""

PRIVILEGED = {
    "mount": ("mount", 0, 0, 0, 0, 0),
    "fsopen": ("fsopen", 0, 0),
    "move_mount": ("move_mount", -1, 0, -1, 0, 0),
    "open_by_handle_at": ("open_by_handle_at", -1, 0, 0),
    "bpf": ("bpf", 0, 0, 0),
    "setns": ("setns", -1, 0),
    "init_module": ("init_module", 0, 0, 0),
    "kexec_load": ("kexec_load", 0, 0, 0, -1),
    "swapon": ("swapon", 0, 0),
    "settimeofday": ("settimeofday", 1, 0),
    "userfaultfd": ("userfaultfd", 0),
    "quotactl": ("quotactl", 0, 0, 0, 0),
}


def let_child_go(name: str, result: str) -> str:
    """A clone that works has two of us come back; one is enough."""
    if name == "clone" and not result and os.getpid() != 1:
        os._exit(0)
    return result


@pytest.mark.parametrize("what", UNPRIVILEGED)
def test_calls_that_take_no_capability(box: Box, monkeypatch: Weaken, what: str) -> None:
    name, *arguments = UNPRIVILEGED[what]

    def attempt() -> str:
        return let_child_go(name, call(name, *arguments)) or "done"

    assert confined(box, monkeypatch, attempt) == "EPERM"
    box.change_linux(seccomp=None)
    assert confined(box, monkeypatch, attempt) != "EPERM"


@pytest.mark.parametrize("what", PRIVILEGED)
def test_calls_that_capabilities_and_the_filter_keep_away(
    box: Box, monkeypatch: Weaken, what: str
) -> None:
    name, *arguments = PRIVILEGED[what]

    def attempt() -> str:
        return call(name, *arguments) or "done"

    assert confined(box, monkeypatch, attempt) == "EPERM"
    with_capabilities = confined(box, monkeypatch, attempt, capabilities=EVERYTHING)
    assert with_capabilities == "EPERM"  # the filter alone
    box.change_linux(seccomp=None)
    assert confined(box, monkeypatch, attempt, capabilities=EVERYTHING) != "EPERM"


def test_clone3_is_said_to_be_missing(box: Box, monkeypatch: Weaken) -> None:
    """Its flags cannot be seen by a filter, and libraries fall back to clone at ENOSYS alone."""
    assert confined(box, monkeypatch, lambda: call("clone3", 0, 0)) == "ENOSYS"


def test_nothing_is_typed_into_the_hosts_terminal(box: Box, monkeypatch: Weaken) -> None:
    """TIOCSTI: what is typed there is executed by the shell that the runtime was called from."""
    setting = Path("/proc/sys/dev/tty/legacy_tiocsti")
    if setting.exists() and setting.read_text().strip() == "0":
        pytest.skip("this kernel lets nobody type by TIOCSTI")

    def execute(_: enter.Entry) -> None:
        word = "typed"
        try:
            fcntl.ioctl(0, termios.TIOCSTI, b"x")
        except OSError as error:
            word = errno.errorcode[error.errno or 0]
        os.write(1, word.encode())
        os._exit(0)

    def attempt() -> str:
        made = box.planned("true")
        master, peer = os.openpty()
        _real_setsid()
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # with the terminal its session ends
        fcntl.ioctl(peer, termios.TIOCSCTTY, 0)
        try:
            result = captured(lambda out, err: spawn_init(made, peer, out, err))
        finally:
            destroy(made)
            os.close(master)
        return result.output

    monkeypatch.setattr(enter, "execute", execute)
    _real_setsid = os.setsid
    assert in_a_shim(attempt) == "EPERM"
    monkeypatch.setattr(enter.os, "setsid", lambda: None)
    assert in_a_shim(attempt) == "typed"


@pytest.mark.parametrize("path", ["/proc/timer_list", "/proc/interrupts", "/proc/keys"])
def test_what_tells_of_the_host_is_masked(box: Box, path: str) -> None:
    if not Path(path).exists():
        pytest.skip(f"this kernel has no {path}")
    script = f"cat {path} | wc -c"
    assert box.run("sh", "-c", script).output == "0\n"
    box.change_linux(masked_paths=(), seccomp=None)
    assert box.run("sh", "-c", script, capabilities=EVERYTHING).output != "0\n"


def test_firmware_is_masked(box: Box) -> None:
    if not os.listdir("/sys/firmware"):
        pytest.skip("this machine shows no firmware")
    assert box.run("ls", "/sys/firmware").output == ""
    assert "ead-only" in box.run("touch", "/sys/firmware/x").errors
    box.change_linux(masked_paths=())
    assert box.run("ls", "/sys/firmware").output != ""


@pytest.mark.parametrize(
    "path", ["/proc/sysrq-trigger", "/proc/sys/kernel/hostname", "/proc/irq/default_smp_affinity"]
)
def test_what_changes_the_host_is_read_only(box: Box, path: str) -> None:
    if not Path(path).exists():
        pytest.skip(f"this kernel has no {path}")
    attempt = f"(: >> {path}) 2>&1 || true"
    assert "ead-only" in box.run("sh", "-c", attempt).output
    box.change_linux(readonly_paths=())
    assert "ead-only" not in box.run("sh", "-c", attempt).output


def test_a_node_takes_a_capability(box: Box) -> None:
    attempt = "rm -f /tmp/node; mknod /tmp/node c 1 3 && echo made"
    less = tuple(name for name in CAPABILITIES if name != "CAP_MKNOD")
    fewer = Capabilities(less, less, (), less, ())
    assert "not permitted" in box.run("sh", "-c", attempt, capabilities=fewer).errors
    assert box.run("sh", "-c", attempt).output == "made\n"


def readable_block_device() -> tuple[int, int]:
    """Return the numbers of a block device that root on this machine may open."""
    for path in sorted(Path("/dev").iterdir()):
        if path.is_block_device():
            try:
                os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK))
            except OSError:
                continue
            device = path.stat().st_rdev
            return os.major(device), os.minor(device)
    pytest.skip("this machine lets nobody open a block device")


def test_a_block_device_of_the_hosts_is_not_read(box: Box) -> None:
    """By a node of one's own: CAP_MKNOD is given, what the node leads to is not."""
    major, minor = readable_block_device()
    attempt = f"rm -f /tmp/disk; mknod /tmp/disk b {major} {minor}; : </tmp/disk && echo open"
    result = box.run("sh", "-c", attempt)
    assert result.output == ""
    assert "not permitted" in result.errors
    box.change_linux(resources=replace(box.spec.linux.resources, devices=ALL_DEVICES))
    assert box.run("sh", "-c", attempt).output == "open\n"
