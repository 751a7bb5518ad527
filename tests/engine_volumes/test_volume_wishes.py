"""What may be asked of the local driver; pure."""

import pytest

from boxship.base.errors import InvalidArgumentError
from boxship.engine.volumes import wishes

TMPFS = {"type": "tmpfs", "device": "tmpfs"}
NO_QUOTA = "create data: quota size requested but no quota support"


@pytest.mark.parametrize(
    ("options", "limits_size", "size"),
    [
        ({"size": "10m"}, True, 10 << 20),
        ({"size": "1.5g"}, True, 3 << 29),
        ({"size": "0"}, False, 0),
        ({**TMPFS, "size": "0"}, False, 0),
        ({**TMPFS, "o": "size=1m"}, False, 0),
    ],
)
def test_sizes(options: dict[str, str], limits_size: bool, size: int) -> None:
    wishes.check_options("data", options, limits_size=limits_size)
    assert wishes.size_of("data", options) == size


@pytest.mark.parametrize(
    ("options", "limits_size", "told"),
    [
        ({"size": "10m"}, False, NO_QUOTA),
        ({**TMPFS, "size": "10m"}, True, f"{NO_QUOTA}: for a tmpfs say o=size=10m"),
        ({"size": "much"}, True, "create data: invalid size: 'much'"),
        ({"size": "-1"}, True, "create data: invalid size: '-1'"),
        ({"size": "1m", "o": "ro"}, True, 'create data: missing required option: "device"'),
    ],
)
def test_sizes_that_are_refused(options: dict[str, str], limits_size: bool, told: str) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        wishes.check_options("data", options, limits_size=limits_size)
    assert str(caught.value) == told
