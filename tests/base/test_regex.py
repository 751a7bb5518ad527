"""Patterns that others have written, which may take for ever."""

import signal
import threading

import pytest

from boxship.base.errors import InvalidArgumentError
from boxship.base.regex import matching


def test_what_matches_somewhere() -> None:
    assert matching("^com[.]", ["com.example", "org.com.x", "com"]) == {"com.example"}
    assert matching("b", ["abc", "xyz"]) == {"abc"}


def test_no_pattern() -> None:
    with pytest.raises(InvalidArgumentError, match="invalid regular expression"):
        matching("(", ["a"])


def test_one_that_takes_for_ever_is_ended() -> None:
    handler = signal.getsignal(signal.SIGALRM)
    with pytest.raises(InvalidArgumentError, match="takes too long"):
        matching("(a+)+$", ["a" * 60 + "b"])
    assert signal.getsignal(signal.SIGALRM) is handler
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_in_another_thread_there_is_no_timer() -> None:
    found: list[set[str]] = []
    thread = threading.Thread(target=lambda: found.append(matching("a", ["a", "b"])))
    thread.start()
    thread.join()
    assert found == [{"a"}]
