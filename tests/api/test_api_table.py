"""The table of routes has every row of the API's description, and each names a test that exists."""

import ast
import re
from pathlib import Path

from boxship.api.openapi.table import OPERATIONS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/reference/api.md").read_text()


def described() -> list[tuple[str, str]]:
    found = []
    for operation in OPERATIONS:
        route = f"{operation.method} {operation.pattern}"
        words = ["", *(each.name for each in operation.parameters)]
        found += [(route, word) for word in [*words, *(["body"] if operation.body else [])]]
    return found


def written() -> list[tuple[str, str, str]]:
    rows, route = [], ""
    for line in PAGE.splitlines():
        match = re.fullmatch(r"\| (?:\*?`(.*?)`\*?)? \| (?:`(.*?)`)? \| (?:`(.*)`|none) \|", line)
        if match is not None:
            route = match[1] or route
            rows.append((route, match[2] or "", match[3] or ""))
    return rows


def test_every_row_is_there() -> None:
    """Otherwise: `scripts/api-table --run` the tests of what is new."""
    assert [row[:2] for row in written()] == described()


def test_every_row_has_a_test_that_exists() -> None:
    names = {name for _, _, name in written()}
    assert "" not in names, [row[:2] for row in written() if not row[2]]
    for name in names:
        path, _, function = name.partition("::")
        tree = ast.parse((ROOT / "tests" / path).read_text())
        kinds = ast.FunctionDef | ast.AsyncFunctionDef
        assert function in {node.name for node in ast.walk(tree) if isinstance(node, kinds)}, name
