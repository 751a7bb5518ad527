"""The order in which people count: ``b2`` before ``b10``."""

import re

_RUN = re.compile(r"([0-9]+)")


def natural(text: str) -> list[tuple[int, int, int]]:
    """A key for sorting: numbers by their value, before all else by its character."""
    key: list[tuple[int, int, int]] = []
    for piece in _RUN.split(text):
        if piece.isdecimal() and piece.isascii():
            key.append((0, int(piece), len(piece)))
        else:
            key.extend((1, ord(character), 0) for character in piece)
    return key
