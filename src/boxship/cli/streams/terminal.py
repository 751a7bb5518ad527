"""Our own terminal: raw mode while a container has it, and its size."""

import os
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager

STDIN = 0
STDOUT = 1


def is_terminal(descriptor: int) -> bool:
    try:
        return os.isatty(descriptor)
    except OSError:
        return False


def size() -> tuple[int, int]:
    """Height and width of the terminal on stdout; zeros when there is none."""
    try:
        columns, lines = os.get_terminal_size(STDOUT)
    except OSError:
        return 0, 0
    return lines, columns


@contextmanager
def raw_mode(descriptor: int = STDIN) -> Iterator[None]:
    """Every key goes through as it is; the old settings come back whatever happens."""
    if not is_terminal(descriptor):
        yield
        return
    before = termios.tcgetattr(descriptor)
    tty.setraw(descriptor, termios.TCSADRAIN)
    try:
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
