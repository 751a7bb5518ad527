"""System calls: that they reach the kernel, and that their errors say what failed where."""

import errno
import os
import select
import struct
import termios
from collections.abc import Callable
from pathlib import Path

import pytest

from boxship.kernel import credentials, filesystems, mounts, namespaces, paths, processes, terminal


def test_an_error_names_the_call_and_the_path() -> None:
    with pytest.raises(FileNotFoundError) as caught:
        mounts.open_tree(mounts.AT_FDCWD, "/nosuch", mounts.OPEN_TREE_CLONE)
    assert caught.value.filename == "/nosuch"
    assert "open_tree" in str(caught.value)
    with pytest.raises(OSError, match="setns"):
        namespaces.setns(-1, 0)


def test_a_nul_never_reaches_the_kernel() -> None:
    with pytest.raises(ValueError, match="null byte"):
        paths.openat2(mounts.AT_FDCWD, "a\0b", os.O_PATH, 0)


@pytest.mark.parametrize("content", ["/", "/etc", "../..", "/proc/self/root"])
def test_openat2_keeps_links_inside_the_root(tmp_path: Path, content: str) -> None:
    (tmp_path / "link").symlink_to(content)
    root = os.open(tmp_path, os.O_PATH)
    try:
        rules = paths.RESOLVE_IN_ROOT | paths.RESOLVE_NO_MAGICLINKS
        try:
            fd = paths.openat2(root, "link", os.O_PATH, rules)
        except FileNotFoundError:
            return
        assert os.fstat(fd).st_ino == tmp_path.stat().st_ino
        os.close(fd)
    finally:
        os.close(root)


def test_openat2_refuses_links_on_request(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(".")
    with pytest.raises(OSError, match="openat2") as caught:
        paths.openat2(mounts.AT_FDCWD, f"{tmp_path}/link", os.O_PATH, paths.RESOLVE_NO_SYMLINKS)
    assert caught.value.errno == errno.ELOOP


def in_a_fork(work: Callable[[], int]) -> int:
    pid = os.fork()
    if pid == 0:
        try:
            os._exit(int(work()))
        finally:
            os._exit(99)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_close_on_exec_reaches_every_descriptor() -> None:
    def work() -> bool:
        low, high = os.open("/", os.O_RDONLY), os.dup2(os.open("/", os.O_RDONLY), 777)
        for fd in (low, high):
            os.set_inheritable(fd, True)
        processes.close_on_exec_from(3)
        return not (os.get_inheritable(low) or os.get_inheritable(high))

    assert in_a_fork(work) == 1


def test_execve_takes_odd_environments(tmp_path: Path) -> None:
    reading, writing = os.pipe()

    def work() -> int:
        os.dup2(writing, 1)
        processes.execve("/bin/busybox", ("env",), ("A=1", "A=2", "odd", "=x"))
        return 1

    assert in_a_fork(work) == 0
    os.close(writing)
    with open(reading) as stream:
        assert stream.read().splitlines() == ["A=1", "A=2", "odd", "=x"]


def test_a_seccomp_filter_answers() -> None:
    # Everything is allowed but getppid, which fails with errno 77.
    number = {"x86_64": 110, "aarch64": 173}[os.uname().machine]
    program = b"".join(
        struct.pack("HBBI", *instruction)
        for instruction in (
            (0x20, 0, 0, 0),
            (0x15, 0, 1, number),
            (0x06, 0, 0, 0x50000 | 77),
            (0x06, 0, 0, 0x7FFF0000),
        )
    )

    def work() -> bool:
        credentials.set_no_new_privileges()
        credentials.seccomp_set_filter(program, 0)
        # libc's getppid cannot fail, so the negated errno comes through as a strange pid.
        return os.getppid() in (-77, -1) and os.getpid() > 0

    assert in_a_fork(work) == 1


def test_capabilities_are_read_and_written() -> None:
    effective, permitted, inheritable = credentials.capget()
    status = dict(
        line.split(":\t")
        for line in Path("/proc/self/status").read_text().splitlines()
        if "Cap" in line
    )
    assert [int(status[n], 16) for n in ("CapEff", "CapPrm", "CapInh")] == [
        effective, permitted, inheritable,
    ]  # fmt: skip

    def work() -> bool:
        credentials.capset(0, permitted, 0)
        return credentials.capget() == (0, permitted, 0)

    assert in_a_fork(work) == 1


def test_the_parents_death_is_told() -> None:
    reading, writing = os.pipe()

    def parent() -> int:
        ready_read, ready_write = os.pipe()
        if os.fork() == 0:
            processes.set_parent_death_signal(9)
            os.write(ready_write, b"r")
            select.select((), (), ())
        os.read(ready_read, 1)
        return 0

    assert in_a_fork(parent) == 0
    os.close(writing)
    with open(reading, "rb") as stream:
        assert stream.read() == b""  # EOF: the grandchild, its last holder, is gone


def test_a_terminals_size_and_peer() -> None:
    master = os.open("/dev/ptmx", os.O_RDWR | os.O_NOCTTY)
    peer = terminal.open_peer(master)
    terminal.set_window_size(master, 33, 44)
    assert terminal.window_size(peer) == (33, 44)
    assert os.ttyname(peer) == f"/dev/pts/{terminal.peer_number(master)}"
    os.close(peer)
    os.close(master)


@pytest.mark.privileged
def test_a_detached_filesystem_has_its_options_and_flags() -> None:
    fd = mounts.new_filesystem("tmpfs", "x", ("mode=700", "size=64k"), mounts.MOUNT_ATTR_RDONLY)
    try:
        assert os.fstat(fd).st_mode & 0o777 == 0o700
        with pytest.raises(OSError, match="Read-only"):
            os.mkdir("d", dir_fd=fd)
    finally:
        os.close(fd)


@pytest.mark.privileged
def test_the_kernels_own_words_explain_a_bad_option() -> None:
    with pytest.raises(OSError, match=r"tmpfs: .*nosuch"):
        mounts.new_filesystem("tmpfs", "x", ("nosuch=1",))


def test_terminal_requests_are_those_of_the_c_library() -> None:
    for name in ("TIOCSCTTY", "TIOCGWINSZ", "TIOCSWINSZ"):
        assert getattr(terminal, f"_{name}") == getattr(termios, name)


def test_attributes_of_a_directory_are_read_and_set(tmp_path: Path) -> None:
    fd = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        before = filesystems.inode_flags(fd)
        filesystems.set_inode_flags(fd, before | filesystems.FS_TOPDIR_FL)
        assert filesystems.inode_flags(fd) == before | filesystems.FS_TOPDIR_FL
    except OSError as error:
        assert error.errno in (errno.ENOTTY, errno.EOPNOTSUPP)
        pytest.skip("a file system without this attribute")
    finally:
        os.close(fd)
