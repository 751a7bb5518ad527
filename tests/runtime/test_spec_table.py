"""The table of the specification's fields is what the tests' markers and the code say."""

import dataclasses
import importlib.util
import sys
import types
import typing
from importlib.machinery import SourceFileLoader
from pathlib import Path

import pytest

from boxship.oci import runtime as oci
from boxship.oci.codec import camel_case

ROOT = Path(__file__).parents[2]
FIELDS = (ROOT / "docs/reference/runtime-spec-fields.txt").read_text().split()
NEWER_OR_OLDER = {"linux.intelRdt.enableCMT", "linux.intelRdt.enableMBM"}
"""In a version of the specification that the table's schemas are not of."""


@pytest.fixture(scope="module")
def script() -> typing.Any:
    """The script that writes the table, as a module."""
    loader = SourceFileLoader("runtime_spec_table", str(ROOT / "scripts/runtime-spec-table"))
    spec = importlib.util.spec_from_loader("runtime_spec_table", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "dont_write_bytecode", True)
        patch.setitem(sys.modules, "runtime_spec_table", module)
        loader.exec_module(module)
    return module


def fields_of(kind: type, where: str = "") -> set[str]:
    """The JSON paths of a dataclass's fields, as the table writes them."""
    found: set[str] = set()
    hints = typing.get_type_hints(kind)
    for field in dataclasses.fields(kind):
        name = field.metadata.get("name") or camel_case(field.name)
        path = f"{where}.{name}" if where else name
        found.add(path)
        for inner, suffix in _inside(hints[field.name]):
            found |= fields_of(inner, path + suffix)
    return found


def _inside(hint: typing.Any) -> list[tuple[type, str]]:
    if dataclasses.is_dataclass(hint):
        return [(typing.cast("type", hint), "")]
    origin = typing.get_origin(hint)
    suffix = {tuple: "[]", dict: ".*"}.get(typing.cast("typing.Any", origin), "")
    if origin not in (tuple, dict, types.UnionType, typing.Union):
        return []
    return [(k, suffix + s) for a in typing.get_args(hint) for k, s in _inside(a)]


def test_fields_of_the_specification_are_those_of_our_types() -> None:
    foreign = {field for field in FIELDS if field.split(".", 1)[0] in oci.FOREIGN_SECTIONS}
    assert foreign == set(oci.FOREIGN_SECTIONS)
    assert set(FIELDS) - foreign == fields_of(oci.Spec) - NEWER_OR_OLDER


def test_every_field_has_a_test_and_every_marker_a_field(script: typing.Any) -> None:
    page, faults = script.table(FIELDS, list(script.claims()))
    assert faults == []
    written = (ROOT / "docs/reference/runtime-spec.md").read_text()
    assert page == written, "run scripts/runtime-spec-table"


def test_a_field_without_a_test_and_a_marker_without_a_field_are_faults(script: typing.Any) -> None:
    claims = [script.Claim("a", "x::t"), script.Claim("c.d", "x::u", "c.d: not here")]
    page, faults = script.table(["a", "a.b", "c", "c.d", "e"], claims)
    assert faults == ["e: no test is marked with it"]
    assert "| `a.b` | implemented | `x::t` |" in page
    assert "| `c` | implemented | its fields |" in page
    assert "| `c.d` | refused | `c.d: not here` |" in page
    _, faults = script.table(["a"], claims)
    assert faults == ["x::u: no field c.d"]


def test_errors_it_names_are_in_the_code(script: typing.Any) -> None:
    places = (ROOT / "src/boxship/runtime", ROOT / "src/boxship/oci")
    code = "".join(path.read_text() for place in places for path in place.rglob("*.py"))
    refusals = [claim.refused for claim in script.claims() if claim.refused]
    assert refusals
    for text in refusals:
        assert text.partition(": ")[2] in code
