"""What may have been meant by a misspelt word."""

from collections.abc import Iterable

_LONGEST = 40


def nearest(word: str, known: Iterable[str], prefix: str = "") -> str:
    """Return "did you mean …?" if some known word is two changes or less away, or an empty text.

    Case does not count as a change. Short words have to be nearer, for else they match anything.
    """
    if len(word) > _LONGEST:
        return ""
    limit = 1 if len(word) < 4 else 2
    rated = sorted((_distance(word.lower(), one.lower()), one) for one in known)
    if not rated or rated[0][0] > limit:
        return ""
    return f"did you mean {prefix}{rated[0][1]}?"


def _distance(left: str, right: str) -> int:
    """Return how many letters have to be inserted, removed, changed or swapped (neighbours)."""
    rows = [list(range(len(right) + 1))]
    for i, a in enumerate(left, start=1):
        row = [i]
        for j, b in enumerate(right, start=1):
            cost = min(rows[-1][j] + 1, row[-1] + 1, rows[-1][j - 1] + (a != b))
            if i > 1 and j > 1 and a == right[j - 2] and b == left[i - 2]:
                cost = min(cost, rows[-2][j - 2] + 1)
            row.append(cost)
        rows.append(row)
    return rows[-1][-1]
