"""``--exclude``: patterns of what is not copied, as in ``.dockerignore``."""

from boxship.engine.build.files.copier import Excluded
from boxship.engine.build.files.globbing import compiled


def exclusion(patterns: tuple[str, ...]) -> Excluded | None:
    """Return what tells of a path whether it is left out; None: nothing is.

    The last pattern that fits decides, and one that fits a directory fits all in it; behind ``!``
    is what is copied after all.
    """
    rules = []
    for pattern in patterns:
        negated = pattern.startswith("!")
        cleaned = pattern.removeprefix("!").strip("/")
        if cleaned:
            rules.append((negated, compiled(cleaned, deep=True)))
    if not rules:
        return None

    def excluded(path: str) -> bool:
        parts = path.split("/")
        above = ["/".join(parts[: n + 1]) for n in range(len(parts))]
        for negated, expression in reversed(rules):
            if any(expression.fullmatch(each) for each in above):
                return not negated
        return False

    return excluded
