"""``--exclude``: patterns of what is not copied, as in ``.dockerignore``."""

from boxship.dockerfile.ignore import ignore
from boxship.engine.build.files.copier import Excluded


def exclusion(patterns: tuple[str, ...]) -> Excluded | None:
    """Return what tells of a path whether it is left out; None: nothing is.

    InvalidArgumentError: a malformed pattern.
    """
    rules = ignore(patterns)
    return rules.leaves_out if rules.patterns else None
