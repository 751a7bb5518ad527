"""A creator that is killed, however far it got, leaves nothing behind, or a whole container."""

import os
import signal
import subprocess
import time

import pytest

from support.waiting import eventually

pytestmark = pytest.mark.privileged

STEPS = 24


def test_kill_at_any_moment_of_create_leaves_nothing(runtime) -> None:
    runtime.configure("sleep", "1000")
    with open(os.devnull, "r+b") as null:

        def start() -> subprocess.Popen[bytes]:
            return subprocess.Popen(
                [*runtime.command, "create", "one"],
                cwd=runtime.bundle, stdin=null, stdout=null, stderr=null,
            )  # fmt: skip

        def seconds() -> float:
            return time.monotonic() - began

        began = time.monotonic()
        start().wait()
        whole = seconds()
        runtime.works("delete", "one")
        killed = tries = 0
        while killed < STEPS:
            assert (tries := tries + 1) < 10 * STEPS, "it is never there to be killed"
            began = time.monotonic()
            creator = start()
            try:
                creator.wait(whole * killed / STEPS)
                whole = seconds()  # the one before has taken longer
            except subprocess.TimeoutExpired:
                creator.send_signal(signal.SIGKILL)
                creator.wait()
                killed += 1
                eventually(lambda: nothing_or_all(runtime), "everything's removal", timeout=10)
            runtime.works("delete", "--force", "one")
    assert runtime.leftovers() == []


def nothing_or_all(runtime) -> bool:
    """The latter when death came after the last thing there was to do."""
    return not runtime.leftovers() or '"created"' in runtime("state", "one").stdout


def test_the_losers_death_does_not_touch_the_winner(runtime) -> None:
    runtime.configure("sleep", "1000")
    runtime.create("one")
    for delay in (0.02, 0.05, 0.08):
        loser = subprocess.Popen(
            [*runtime.command, "create", "one"], cwd=runtime.bundle, stderr=subprocess.DEVNULL
        )
        time.sleep(delay)
        loser.kill()
        loser.wait()
    assert runtime.state("one")["status"] == "created"
    runtime.works("start", "one")
