"""The program killed at every system call by which it changes the world, one after the other.

strace kills it (or the guard, or the container's init) on the n-th of each. Afterwards nothing is
there, or a whole container, and what was done can be done again under the same id.
"""

import json
import os
import shutil
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from support.waiting import eventually

pytestmark = [
    pytest.mark.privileged,
    pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed"),
]

CHANGES = (
    "mkdir", "symlink", "rename", "mknodat", "write", "unlink", "rmdir", "clone", "clone3",
    "pipe2", "socketpair", "unshare", "setns", "recvmsg", "pidfd_open", "wait4", "execveat",
)  # fmt: skip
POINTS = int(os.environ.get("BOXSHIP_KILL_POINTS", "10"))  # more: a longer, finer sweep


def traced(runtime, *words: str, options: tuple[str, ...] = ()) -> int:
    """Run the program under strace; return its exit status, negative for a signal."""
    with open(os.devnull, "r+b") as null:
        done = subprocess.run(
            ["strace", "-qq", "-o", runtime.place / "calls", *options, *runtime.command, *words],
            cwd=runtime.bundle, stdin=null, stdout=null, stderr=null, check=False, timeout=60,
        )  # fmt: skip
    return done.returncode


def points(runtime, *words: str) -> Iterator[tuple[str, int]]:
    """Run the program whole, and say which calls it made, and how many of each.

    What it does is to be done already once, for modules are compiled and written then.
    """
    assert traced(runtime, *words, options=("-e", f"trace={','.join(CHANGES)}")) == 0
    lines = (runtime.place / "calls").read_text().splitlines()
    counts = Counter(line.split("(")[0] for line in lines)
    for name in CHANGES:
        for n in range(1, counts[name] + 1):
            yield name, n


def killed_at(runtime, name: str, n: int, *words: str) -> bool:
    inject = ("-e", f"trace={name}", "-e", f"inject={name}:signal=KILL:when={n}")
    return traced(runtime, *words, options=inject) == -signal.SIGKILL


def test_create_killed_anywhere_leaves_nothing_or_all(runtime) -> None:
    runtime.configure("sleep", "1000")
    runtime.create("one")
    runtime.works("delete", "one")
    found = list(points(runtime, "create", "one"))
    runtime.works("delete", "one")
    assert len(found) > 20  # the unified hierarchy takes fewer than v1's many
    for name, n in found:
        assert killed_at(runtime, name, n, "create", "one"), (name, n)
        eventually(lambda: nothing_or_all(runtime), f"the end after {name} {n}", timeout=10)
        if runtime.leftovers():
            runtime.works("delete", "--force", "one")
    runtime.create("one")
    runtime.works("start", "one")


def nothing_or_all(runtime) -> bool:
    return not runtime.leftovers() or '"created"' in runtime("state", "one").stdout


@pytest.mark.parametrize("call", ["sethostname", "pivot_root", "move_mount"])
def test_an_init_killed_on_its_way_is_told_of_and_leaves_nothing(runtime, call: str) -> None:
    runtime.configure("sleep", "1000")
    options = ("-f", "-e", f"trace={call}", "-e", f"inject={call}:signal=KILL:when=1")
    assert traced(runtime, "create", "one", options=options) == 1
    assert runtime.leftovers() == []


def _hook(*commands: str) -> dict[str, Any]:
    """A hook of the creator's that finds its guard: the child that is neither init nor hook."""
    find = r"""
        init=$(sed 's/.*"pid": *\([0-9]*\).*/\1/')
        read children < /proc/$PPID/task/$PPID/children
        for child in $children; do
            [ $child = $init ] || [ $child = $$ ] || guard=$child
        done
    """
    script = find + "; ".join(commands)
    return {"path": "/bin/sh", "args": ["sh", "-c", script], "env": ["PATH=/usr/bin:/bin"]}


def test_a_guard_that_is_killed_is_missed_by_nobody(runtime) -> None:
    hook = _hook("kill -9 $guard")
    runtime.configure("sleep", "1000", change=lambda c: c.update(hooks={"createRuntime": [hook]}))
    runtime.create("one")
    assert runtime.state("one")["status"] == "created"
    runtime.works("start", "one")


def test_creator_and_guard_killed_together_leave_what_delete_force_removes(runtime) -> None:
    """As systemd does when it ends a service."""
    hook = _hook("kill -9 $guard $PPID")
    runtime.configure("sleep", "1000", change=lambda c: c.update(hooks={"createRuntime": [hook]}))
    assert runtime("create", "one").returncode == -signal.SIGKILL
    assert runtime.leftovers() != []
    assert runtime("state", "one").stderr.endswith("container does not exist\n")
    assert "container with given ID already exists" in runtime("create", "one").stderr
    runtime.works("delete", "--force", "one")
    assert runtime.leftovers() == []


def test_what_is_being_created_is_not_deleted_under_the_creator(runtime) -> None:
    hook = {"path": "/bin/sh", "args": ["sh", "-c", "echo $$ > begun; sleep 1000; true"],
            "env": ["PATH=/bin"], "timeout": 60}  # fmt: skip
    runtime.configure("sleep", "1000", change=lambda c: c.update(hooks={"createRuntime": [hook]}))
    (runtime.bundle / "begun").touch()
    with open(os.devnull, "r+b") as null:
        creator = subprocess.Popen(
            [*runtime.command, "create", "one"], cwd=runtime.bundle, stdin=null, stdout=null,
            stderr=null,
        )  # fmt: skip
        eventually(lambda: (runtime.bundle / "begun").read_text().endswith("\n"), "the hook")
        refused = runtime("delete", "--force", "one")
        assert f"container is being created by process {creator.pid}" in refused.stderr
        creator.kill()
        creator.wait()
    eventually(lambda: not runtime.leftovers(), "everything's removal", timeout=10)


def test_delete_killed_anywhere_can_be_repeated(runtime) -> None:
    runtime.configure("sleep", "1000")
    runtime.create("one")
    runtime.works("delete", "--force", "one")
    runtime.create("one")
    found = list(points(runtime, "delete", "--force", "one"))
    for name, n in found[:: max(1, len(found) // POINTS)]:
        runtime.create("one")
        runtime.works("start", "one")
        killed_at(runtime, name, n, "delete", "--force", "one")
        runtime.works("delete", "--force", "one")
        assert runtime.leftovers() == [], (name, n)


def test_start_killed_anywhere_leaves_a_container_that_waits_or_runs(runtime) -> None:
    runtime.configure("sleep", "1000")
    runtime.create("one")
    runtime.works("start", "one")
    runtime.works("delete", "--force", "one")
    runtime.create("one")
    found = list(points(runtime, "start", "one"))
    runtime.works("delete", "--force", "one")
    for name, n in found:
        runtime.create("one")
        assert killed_at(runtime, name, n, "start", "one"), (name, n)
        status = runtime.state("one")["status"]
        if status == "created":
            runtime.works("start", "one")
        else:
            assert json.loads(runtime.works("ps", "-f", "json", "one")), (name, n)
        runtime.works("delete", "--force", "one")
        assert runtime.leftovers() == [], (name, n)
