"""``userns-remap``: users and ranges."""

import pytest

from boxship.base.errors import InvalidArgumentError
from boxship.daemon.remap import read_ranges, user_maps
from boxship.model.usermaps import UserMaps


def test_ranges_follow_one_another_inside() -> None:
    text = "other:5:5\nann:100000:1000\n# ann:1:1\nann:x:1\nann:7:0\n1001:300000:65536\n"
    assert read_ranges(text, "ann", 1001) == ((0, 100000, 1000), (1000, 300000, 65536))
    assert read_ranges(text, "bob", 7) == ()


def test_nothing_is_mapped_unless_asked_for() -> None:
    assert user_maps("") is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("no-such-user", "there is no user 'no-such-user'"),
        ("4000000000", "there is no user '4000000000'"),
        ("root:no-such-group", "there is no group 'no-such-group'"),
        ("sync:root", "has no range for sync"),
    ],
)
def test_what_is_missing_is_named(text: str, words: str) -> None:
    with pytest.raises(InvalidArgumentError, match=words):
        user_maps(text)


def test_root_outside() -> None:
    assert UserMaps(((0, 7, 1),), ((0, 9, 1),)).root == (7, 9)
