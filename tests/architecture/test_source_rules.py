"""Rules about the source text that import-linter can't say."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "boxship"
SOURCES = sorted(PACKAGE.rglob("*.py"))
PACKAGES = sorted({source.parent for source in SOURCES})

# The launcher forks shims from a bare interpreter (`python -I -S`): none of these may need more.
# (oci/image.py is for the image store, which the launcher never sees.)
STDLIB_ONLY = (
    "base", "kernel", "net", "runtime", "oci/runtime.py", "oci/digest.py", "oci/reference.py",
)  # fmt: skip

# They compute; what they compute is done by others. Their tests need no machine.
PURE = (
    *("dockerfile", "solver", "engine/build/planning", "oci", "model", "wire"),
    *("runtime/messages.py", "runtime/steps.py"),
)
EFFECTS = {"os", "socket", "subprocess", "asyncio", "time", "threading", "selectors", "signal"}

DRAWERS = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "handler", "handlers"}


def relative(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def imports(path: Path) -> Iterator[str]:
    """The top-level names of what a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield (node.module or "").partition(".")[0]


def within(*places: str) -> list[Path]:
    return [
        source
        for source in SOURCES
        if any(
            relative(source) == place or relative(source).startswith(f"{place}/")
            for place in places
        )
    ]


@pytest.mark.parametrize(
    "package", PACKAGES, ids=lambda path: path.relative_to(PACKAGE.parent).as_posix()
)
def test_package_introduces_itself_and_does_nothing_else(package: Path) -> None:
    initial = package / "__init__.py"
    assert initial.exists(), "every package says what it is"
    body = ast.parse(initial.read_text()).body
    if package == PACKAGE:
        body.pop()  # the version
    assert len(body) == 1, "a docstring and nothing else"
    docstring = ast.get_docstring(ast.parse(initial.read_text()))
    assert docstring is not None
    assert 3 <= len(docstring.splitlines()) <= 10


def test_no_drawers() -> None:
    names = {path: path.stem for path in [*SOURCES, *PACKAGES]}
    assert [relative(path) for path, name in names.items() if name in DRAWERS] == []


@pytest.mark.parametrize("source", within(*STDLIB_ONLY), ids=relative)
def test_standard_library_suffices(source: Path) -> None:
    assert set(imports(source)) - sys.stdlib_module_names - {"boxship"} == set()


@pytest.mark.parametrize("source", within(*PURE), ids=relative)
def test_pure_modules_have_no_effects(source: Path) -> None:
    assert set(imports(source)) & EFFECTS == set()


IMPORTED_AS = {"PyYAML": "yaml"}


def test_dependencies_are_those_that_are_imported() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    names = {re.split(r"[^\w-]", line)[0] for line in project["dependencies"]}
    declared = {IMPORTED_AS.get(name, name) for name in names}
    used = {name for source in SOURCES for name in imports(source)}
    assert used - sys.stdlib_module_names - {"boxship"} == declared
