"""The order of Debian's version numbers: ``[epoch:]upstream[-revision]`` (policy 5.6.12)."""

import re
from itertools import zip_longest

_PART = re.compile(r"(\D*)(\d*)")

_END = 0


def compare(left: str, right: str) -> int:
    """Return a number below, equal to or above zero, as ``left`` is older, the same or newer."""
    left_epoch, left_rest = _epoch(left)
    right_epoch, right_rest = _epoch(right)
    if left_epoch != right_epoch:
        return left_epoch - right_epoch
    left_upstream, _, left_revision = _split(left_rest)
    right_upstream, _, right_revision = _split(right_rest)
    return _compare(left_upstream, right_upstream) or _compare(left_revision, right_revision)


def _epoch(version: str) -> tuple[int, str]:
    epoch, colon, rest = version.partition(":")
    return (int(epoch), rest) if colon and epoch.isdigit() else (0, version)


def _split(version: str) -> tuple[str, str, str]:
    upstream, dash, revision = version.rpartition("-")
    return (upstream, dash, revision) if dash else (revision, "", "")


def _compare(left: str, right: str) -> int:
    """Compare by turns what is no digit, then digits as a number."""
    pairs = zip_longest(_PART.findall(left), _PART.findall(right), fillvalue=("", ""))
    for (left_text, left_digits), (right_text, right_digits) in pairs:
        order = _compare_text(left_text, right_text)
        order = order or int(left_digits or 0) - int(right_digits or 0)
        if order:
            return order
    return 0


def _compare_text(left: str, right: str) -> int:
    for one, other in zip_longest(map(_weight, left), map(_weight, right), fillvalue=_END):
        if one != other:
            return one - other
    return 0


def _weight(character: str) -> int:
    """A tilde comes before the end, letters before everything else."""
    if character == "~":
        return -1
    return ord(character) if character.isalpha() else ord(character) + 256
