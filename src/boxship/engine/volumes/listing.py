"""Choosing volumes by Docker's filters; pure."""

import re
from collections.abc import Callable, Collection, Mapping, Sequence

from boxship.base.errors import InvalidArgumentError
from boxship.engine.volumes.record import VolumeRecord
from boxship.model.labels import LabelFilter

FILTERS = ("dangling", "driver", "label", "name")
_TRUTHS = {"1": True, "t": True, "true": True, "0": False, "f": False, "false": False}

Test = Callable[[VolumeRecord], bool]


def chooser(filters: Mapping[str, Sequence[str]], in_use: Collection[str]) -> Test:
    """Return what tells whether a volume is wanted; ``in_use`` are the ids of those in use.

    InvalidArgumentError names a bad filter.
    """
    for name in filters:
        if name not in FILTERS:
            raise InvalidArgumentError(f"invalid filter '{name}'")
    tests = [_test(name, values, in_use) for name, values in filters.items() if values]
    return lambda volume: all(test(volume) for test in tests)


def _test(name: str, values: Sequence[str], in_use: Collection[str]) -> Test:
    if name == "dangling":
        wanted = _truth(values)
        return lambda volume: (volume.id not in in_use) is wanted
    if name == "driver":
        return lambda volume: volume.driver in values
    if name == "label":
        labels = LabelFilter(tuple(values))
        return lambda volume: labels.admits(volume.labels or {})
    return lambda volume: any(_matches(value, volume.name) for value in values)


def _truth(values: Sequence[str]) -> bool:
    found = {_TRUTHS.get(value.lower()) for value in values}
    if None in found or len(found) != 1:
        raise InvalidArgumentError(f"invalid filter 'dangling=[{' '.join(values)}]'")
    return found == {True}


def _matches(pattern: str, text: str) -> bool:
    try:
        return pattern in text or re.search(pattern, text) is not None
    except re.error:
        return False
