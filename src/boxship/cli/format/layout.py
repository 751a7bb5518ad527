"""Labelled lines, as ``version`` and ``info`` print them."""

from collections.abc import Iterable


def labelled(pairs: Iterable[tuple[str, str]], *, indent: int, width: int) -> list[str]:
    """``Label:   value`` with the values in one column."""
    margin = " " * indent
    return [f"{margin}{f'{label}:':<{width}}{value}" for label, value in pairs]
