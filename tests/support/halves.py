"""The suite in two halves that run beside each other, one for each core: `pytest --half=1|2`.

Everything that is the machine's keeps to the first half: the sealed interpreter, other engines'
default places. Directories, daemons and cgroups are each run's own (`engine.py`, `residue.py`), so
that neither half can take the other's traces for its own.
"""

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
