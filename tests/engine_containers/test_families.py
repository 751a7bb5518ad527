"""Who belongs to an exec: by session, by descent, and by those who have gone already."""

import os
import subprocess

import pytest

from boxship.engine.containers.family import Kin, family_of, kill_family

TREE = {
    10: Kin(1, 10),  # the exec
    11: Kin(10, 10),
    12: Kin(11, 12),  # began a session of its own
    13: Kin(12, 13),
    14: Kin(1, 10),  # an orphan, in session still
    20: Kin(1, 20),  # somebody else's
    21: Kin(20, 20),
}


@pytest.mark.parametrize(
    ("known", "family"),
    [
        ({10}, {10, 11, 12, 13, 14}),
        ({20}, {20, 21}),
        ({9, 12}, {12, 13}),
        ({99}, set()),
    ],
)
def test_a_family(known: set[int], family: set[int]) -> None:
    assert family_of(TREE, known) == family


def test_orphans_of_one_that_has_ended() -> None:
    left = {12: Kin(1, 12), 13: Kin(12, 13), 15: Kin(11, 15), 20: Kin(1, 20)}
    assert family_of(left, {10, 11, 12}) == {12, 13, 15}


def test_others_are_left_alone() -> None:
    with (
        subprocess.Popen(["sleep", "1000"], start_new_session=True) as other,
        subprocess.Popen(["sleep", "1000"], start_new_session=True) as first,
    ):
        try:
            assert kill_family(lambda: (first.pid, other.pid, os.getpid()), first.pid)
            assert first.wait() == -9
            assert other.poll() is None
        finally:
            first.kill()
            other.kill()
