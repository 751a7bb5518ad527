"""Boxes of intervals, made disjoint: the kernel's sets of intervals refuse what overlaps.

A box has an interval (first, last) per dimension, both ends within. Pure.
"""

from collections.abc import Iterable

Interval = tuple[int, int]
Box = tuple[Interval, ...]


def disjoint(boxes: Iterable[Box]) -> list[Box]:
    """Return boxes that cover the same, and do not overlap. Larger ones stay whole."""
    return [piece for _, piece in cut_apart(sorted(dict.fromkeys(boxes), key=_size, reverse=True))]


def cut_apart(boxes: Iterable[Box]) -> list[tuple[Box, Box]]:
    """Return pieces that do not overlap, each with the first box that covers it."""
    kept: list[tuple[Box, Box]] = []
    for box in boxes:
        pieces = [box]
        for _, other in kept:
            pieces = [rest for piece in pieces for rest in _without(piece, other)]
        kept += [(box, piece) for piece in pieces]
    return kept


def _without(box: Box, other: Box) -> list[Box]:
    """Return what is left of ``box`` outside ``other``, cut along one dimension after another."""
    if any(b[1] < o[0] or o[1] < b[0] for b, o in zip(box, other, strict=True)):
        return [box]
    left = []
    for i, ((first, last), (cut_first, cut_last)) in enumerate(zip(box, other, strict=True)):
        if first < cut_first:
            left.append((*box[:i], (first, cut_first - 1), *box[i + 1 :]))
        if last > cut_last:
            left.append((*box[:i], (cut_last + 1, last), *box[i + 1 :]))
        box = (*box[:i], (max(first, cut_first), min(last, cut_last)), *box[i + 1 :])
    return left


def _size(box: Box) -> int:
    size = 1
    for first, last in box:
        size *= last - first + 1
    return size
