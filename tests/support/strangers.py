"""Run a part of a test as an ordinary user of the machine who is root in a user namespace."""

import os
import pickle
import traceback
from collections.abc import Callable
from typing import TypeVar

from boxship.kernel import namespaces

FIRST, COUNT = 300_000, 65_536

T = TypeVar("T")


def in_user_namespace(call: Callable[[], T]) -> T:
    """Return what `call` returns there; what it returns must go through pickle.

    It runs in a fork, as user and group FIRST of the host, who is 0 there and has COUNT ids. The
    host's own files may be out of reach for him, so have everything imported that `call` needs.
    """
    ready, maps_written = os.pipe(), os.pipe()
    outcome = os.pipe()
    pid = os.fork()
    if pid == 0:
        _be_child(call, ready[1], maps_written[0], outcome[1])
    for fd in (ready[1], maps_written[0], outcome[1]):
        os.close(fd)
    try:
        os.read(ready[0], 1)
        for kind in ("uid", "gid"):
            with open(f"/proc/{pid}/{kind}_map", "w") as stream:
                stream.write(f"0 {FIRST} {COUNT}\n")
        os.write(maps_written[1], b"1")
        with open(outcome[0], "rb", closefd=False) as stream:
            data = stream.read()
    finally:
        for fd in (ready[0], maps_written[1], outcome[0]):
            os.close(fd)
        os.waitpid(pid, 0)
    result, failure = pickle.loads(data)
    assert not failure, failure
    return result  # type: ignore[no-any-return]


def _be_child(call: Callable[[], T], ready: int, maps_written: int, outcome: int) -> None:
    result, failure = None, ""
    try:
        os.setgroups([])
        os.setresgid(FIRST, FIRST, FIRST)
        os.setresuid(FIRST, FIRST, FIRST)
        namespaces.unshare(namespaces.CLONE_FLAGS["user"] | namespaces.CLONE_FLAGS["mnt"])
        os.write(ready, b"1")
        os.read(maps_written, 1)
        os.setresgid(0, 0, 0)
        os.setresuid(0, 0, 0)
        result = call()
    except BaseException:  # noqa: BLE001 - told to the parent
        failure = traceback.format_exc()
    with open(outcome, "wb") as stream:
        stream.write(pickle.dumps((result, failure)))
    os._exit(0)
