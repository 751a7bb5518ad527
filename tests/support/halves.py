"""The suite in two halves that run beside each other, one for each core: `pytest --half=1|2`.

Everything that is the machine's keeps to the first half: cgroups with names of their own, the
sealed interpreter, other engines' default places. Tests of the second have daemons and files to
themselves (`engine.py`), so that neither half can take the other's traces for its own.
"""

from support import residue

SECOND = (
    "tests/e2e/",
    "tests/engine_images/",
    "tests/storage/",
    "tests/copying/",
    "tests/distribution/",
    "tests/bootstrap/",
)
# The sealed interpreter, real-time budgets; and one to make the halves equally long.
BUT_FIRST = (
    "tests/e2e/test_other_runtimes.py",
    "tests/e2e/test_options.py",
    "tests/e2e/test_removal_rules.py",
)


def half_of(path: str) -> str:
    """Tell by a test file's path from the root of the project to which half it belongs."""
    return "2" if path.startswith(SECOND) and not path.startswith(BUT_FIRST) else "1"


def keep_apart(half: str) -> None:
    """The first half's cgroups are none of the second's concern."""
    if half == "2":
        residue.NAMES = ()
