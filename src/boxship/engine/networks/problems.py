"""How several mistakes in one request are told; pure."""

from collections.abc import Sequence


def listed(problems: Sequence[str]) -> str:
    """Return them as Docker does: one alone, several on a line each, with a star."""
    return problems[0] if len(problems) == 1 else "\n".join(f"* {each}" for each in problems)
