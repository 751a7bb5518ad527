"""Whom a process that is being born may name: it may have been taken over by the container."""

import os
import signal
import subprocess
from collections.abc import Callable, Iterator

import pytest

from boxship.kernel import processes
from boxship.kernel.channel import Channel, channel_pair
from boxship.runtime import birth, process
from boxship.runtime.kin import is_kin
from boxship.runtime.process import StepFailedError
from support.boxes import in_a_shim


@pytest.fixture
def bystander() -> Iterator[int]:
    """A process of the host's that is nobody's to name: a child of a child of ours."""
    script = "sleep 1000 & echo $!; wait"
    with subprocess.Popen(["sh", "-c", script], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        pid = int(parent.stdout.readline())
        yield pid
        os.kill(pid, signal.SIGKILL)


def heard_from(speak: Callable[[Channel], None]) -> process._Heard:
    """Listen, as for an exec, to what ``speak`` says; return what was taken from it."""
    ours, theirs = channel_pair()
    heard = process._Heard()
    with ours:
        with theirs:
            speak(theirs)
        terms = process._Terms(False, birth.ORDINARY, {})
        try:
            process._listen(ours, heard, terms)
        finally:
            process._discard(heard)
    return heard


def say_born(channel: Channel, pid: int) -> None:
    held = os.pidfd_open(pid)
    birth.ChildEnd(channel).send_born(pid, held)
    os.close(held)


def born() -> int:
    pid = processes.fork_into()
    if pid == 0:
        signal.pause()
    return pid


def test_another_process_of_the_host_is_not_taken_for_the_new_one(bystander: int) -> None:
    with pytest.raises(StepFailedError, match="taken over"):
        heard_from(lambda channel: say_born(channel, bystander))
    os.kill(bystander, 0)
    with open(f"/proc/{bystander}/stat") as stream:
        assert stream.read().split()[2] != "Z"


def test_who_was_born_is_told_once() -> None:
    def work() -> list[int]:
        first, second = born(), born()

        def speak(channel: Channel) -> None:
            say_born(channel, first)
            say_born(channel, second)

        with pytest.raises(StepFailedError, match="taken over"):
            heard_from(speak)
        os.kill(second, signal.SIGKILL)
        ended = [os.waitpid(second, 0)[0]]
        try:
            os.waitpid(first, 0)
        except ChildProcessError:
            ended.append(first)  # killed and reaped by who heard the lie
        return [ended == [second, first]]

    assert in_a_shim(work) == [True]


def test_a_number_and_a_descriptor_must_mean_the_same(bystander: int) -> None:
    def work() -> tuple[bool, bool]:
        child = born()
        held = os.pidfd_open(child)
        try:
            return is_kin(bystander, held, sibling=False), is_kin(child, held, sibling=False)
        finally:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)

    assert in_a_shim(work) == (False, True)


def test_a_sibling_is_kin_and_a_child_is_not(bystander: int) -> None:
    def work() -> tuple[bool, bool, bool]:
        starter, said = os.pipe()
        pid = os.fork()
        if pid == 0:
            sibling = processes.fork_sibling()
            if sibling == 0:
                signal.pause()
            child = born()
            found = [
                is_kin(one, os.pidfd_open(one), sibling=True) for one in (sibling, child, bystander)
            ]
            for one in (sibling, child):
                os.kill(one, signal.SIGKILL)
            os.waitpid(child, 0)
            os.write(said, bytes(found))
            os._exit(0)
        for _ in range(2):
            os.wait()
        one, other, third = os.read(starter, 3)
        return bool(one), bool(other), bool(third)

    assert in_a_shim(work) == (True, False, False)
