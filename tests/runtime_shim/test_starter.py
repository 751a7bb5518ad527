"""A starter's tie to its shim."""

import os

from boxship.runtime.shim.starter import die_with


def outcome(parent: int) -> int:
    """Return the exit status of a child that takes ``parent`` for its parent and leaves with 7."""
    pid = os.fork()
    if pid == 0:
        die_with(parent)
        os._exit(7)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_a_starter_whose_shim_is_gone_already_does_nothing():
    assert outcome(os.getpid()) == 7
    assert outcome(1) == 1
