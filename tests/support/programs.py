"""Other people's programs that tests drive or compare with; `scripts/setup` brings all of them.

On a person's machine, or in the guest of `scripts/test-vm`, one may be missing: then what needs it
is skipped. Where continuous integration runs, that would be a test that quietly went away.
"""

import os
import shutil
from pathlib import Path

import pytest

_UNPACKED = Path(__file__).parents[2] / ".cache/bin"
_PLACES = f"{os.environ.get('PATH', '')}:/usr/sbin:{_UNPACKED}"
PROMISED = bool(os.environ.get("CI"))


def find(program: str) -> str | None:
    """Look where `scripts/setup` puts programs."""
    return shutil.which(program, path=_PLACES)


def required(program: str) -> str:
    """Its path; without it the test is skipped, in continuous integration it fails."""
    found = find(program)
    if found is None:
        say = pytest.fail if PROMISED else pytest.skip
        say(f"{program} is missing: scripts/setup brings it")
    return found


def needs(*programs: str) -> pytest.MarkDecorator:
    """The same as a mark; in continuous integration the test runs, and fails for want of it."""
    missing = ", ".join(program for program in programs if find(program) is None)
    reason = f"missing: {missing} (scripts/setup)"
    return pytest.mark.skipif(bool(missing) and not PROMISED, reason=reason)
