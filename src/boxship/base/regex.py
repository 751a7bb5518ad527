"""Regular expressions that others have written.

Python's matcher goes back over what it has tried: of a pattern like ``(a+)+b`` a text of thirty
characters takes it minutes, during which a daemon would answer nobody. It looks for signals
meanwhile, so a timer ends it.
"""

import re
import signal
import threading
from collections.abc import Iterable
from types import FrameType

from boxship.base.errors import InvalidArgumentError

PATIENCE = 0.5
"""Seconds for all texts together; usual ones take microseconds."""


class _Late(Exception):  # noqa: N818 - never leaves this module
    pass


def matching(pattern: str, texts: Iterable[str]) -> set[str]:
    """Return the texts that have the pattern somewhere; bounded in the main thread.

    InvalidArgumentError: no pattern, or one that takes too long.
    """
    try:
        compiled = re.compile(pattern)
        if threading.current_thread() is not threading.main_thread():
            return {text for text in texts if compiled.search(text)}
        return _bounded(compiled, texts)
    except (re.error, RecursionError) as error:
        raise InvalidArgumentError(f"invalid regular expression {pattern}: {error}") from None
    except _Late:
        raise InvalidArgumentError(
            f"the regular expression {pattern} takes too long: write it without repetitions "
            "within repetitions"
        ) from None


def _bounded(compiled: re.Pattern[str], texts: Iterable[str]) -> set[str]:
    before = signal.signal(signal.SIGALRM, _stop)
    signal.setitimer(signal.ITIMER_REAL, PATIENCE)
    try:
        return {text for text in texts if compiled.search(text)}
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _stop(_number: int, _frame: FrameType | None) -> None:
    raise _Late
