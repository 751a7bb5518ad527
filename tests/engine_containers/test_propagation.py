"""A bind that shall share mounts with the host needs a source that does."""

import pytest

from boxship.base.errors import InvalidArgumentError
from boxship.engine.containers.propagation import settle
from boxship.engine.containers.record import MountPoint

TABLE = """\
20 1 0:1 / / rw - ext4 /dev/vda rw
21 20 0:2 / /shared rw shared:5 - tmpfs none rw
22 20 0:3 / /slave\\040mount rw master:5 - tmpfs none rw
23 21 0:4 / /shared/private rw - tmpfs none rw
"""


def settled(source: str, propagation: str, data_root: str = "/data") -> str:
    point = MountPoint("bind", "/x", source, propagation=propagation)
    (found,) = settle((point,), TABLE, data_root)
    return found.propagation


@pytest.mark.parametrize(
    ("source", "propagation"),
    [
        ("/etc", "rprivate"),
        ("/shared/a/b", "rshared"),
        ("/shared", "shared"),
        ("/shared/a", "rslave"),
        ("/slave mount/a", "slave"),
    ],
)
def test_good_ones_stay(source: str, propagation: str) -> None:
    assert settled(source, propagation) == propagation


@pytest.mark.parametrize(
    ("source", "propagation", "answer"),
    [
        ("/etc", "rshared", "path /etc is mounted on / but it is not a shared mount"),
        (
            "/shared/private",
            "shared",
            "path /shared/private is mounted on /shared/private but it is not a shared mount",
        ),
        (
            "/slave mount/x",
            "shared",
            "path /slave mount/x is mounted on /slave mount but it is not a shared mount",
        ),
        (
            "/etc",
            "slave",
            "path /etc is mounted on / but it is not a shared or slave mount",
        ),
    ],
)
def test_others_are_refused_in_dockers_words(source: str, propagation: str, answer: str) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        settled(source, propagation)
    assert str(caught.value) == answer


def test_what_was_given_for_the_data_roots_sake_falls_back() -> None:
    assert settled("/", "rslave") == "rprivate"
    assert settled("/data/x", "rslave") == "rprivate"
