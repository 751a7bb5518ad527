"""Choosing networks by Docker's filters; pure."""

import re
from collections.abc import Callable, Mapping, Sequence

from boxship.base.errors import InvalidArgumentError
from boxship.engine.networks.record import NetworkRecord

FILTERS = ("dangling", "driver", "id", "label", "name", "scope", "type")
_TRUTHS = {"1": True, "true": True, "0": False, "false": False}
_TYPES = {"builtin": True, "custom": False}

Test = Callable[[NetworkRecord], bool]


def chooser(filters: Mapping[str, Sequence[str]], in_use: Test) -> Test:
    """Return what tells whether a network is wanted: each filter by one of its words.

    ``in_use`` tells whether anybody is on a network. InvalidArgumentError names a bad filter.
    """
    tests = []
    for name, values in filters.items():
        if name not in FILTERS:
            raise InvalidArgumentError(f"invalid filter '{name}'")
        if values:
            tests.append(_test(name, values, in_use))
    return lambda network: all(test(network) for test in tests)


def _test(name: str, values: Sequence[str], in_use: Test) -> Test:
    if name == "dangling":
        wanted = _dangling(values)
        return lambda network: (not network.predefined and not in_use(network)) is wanted
    if name == "type":
        builtin = [_builtin(value) for value in values]
        return lambda network: network.predefined in builtin
    if name == "label":  # all of them, as for every object
        return lambda network: all(_has_label(network, value) for value in values)
    read = _PARTS[name]
    if name in ("name", "id"):
        patterns = [_pattern(value) for value in values]
        return lambda network: any(matches(read(network)) for matches in patterns)
    return lambda network: read(network) in values


_PARTS: Mapping[str, Callable[[NetworkRecord], str]] = {
    "driver": lambda network: network.driver,
    "id": lambda network: network.id,
    "name": lambda network: network.name,
    "scope": lambda network: network.scope,
}


def _dangling(values: Sequence[str]) -> bool:
    """Whether networks are wanted that nobody is on and that can be removed."""
    found = {_TRUTHS.get(value.lower()) for value in values}
    if None in found or len(found) != 1:
        raise InvalidArgumentError(
            'invalid value for filter \'dangling\', must be "true" (or "1"), or "false" (or "0")'
        )
    return found == {True}


def _builtin(value: str) -> bool:
    if value not in _TYPES:
        raise InvalidArgumentError(f"invalid filter: 'type'='{value}'")
    return _TYPES[value]


def _pattern(value: str) -> Callable[[str], bool]:
    """A part of the text, or a regular expression that is found in it."""
    try:
        expression = re.compile(value)
    except re.error:
        return lambda text: value in text
    return lambda text: value in text or expression.search(text) is not None


def _has_label(network: NetworkRecord, condition: str) -> bool:
    name, equals, value = condition.partition("=")
    return name in network.labels and (not equals or network.labels[name] == value)
