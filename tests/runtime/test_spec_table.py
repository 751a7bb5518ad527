"""The table of the specification's fields says what the code says, and names tests that exist."""

import dataclasses
import re
import types
import typing
from pathlib import Path

from boxship.oci import runtime as oci
from boxship.oci.codec import camel_case

ROOT = Path(__file__).parents[2]
TABLE = ROOT / "docs/reference/runtime-spec.md"
NEWER_OR_OLDER = {"linux.intelRdt.enableCMT", "linux.intelRdt.enableMBM"}
"""In a version of the specification that the table's schemas are not of."""


def rows() -> dict[str, tuple[str, str]]:
    found = re.findall(r"^\| `(.+?)` \| (\w+) \| `(.+)` \|$", TABLE.read_text(), re.MULTILINE)
    return {field: (kind, text) for field, kind, text in found}


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


def test_every_field_of_the_table_is_read_or_refused_and_the_other_way_round() -> None:
    table = rows()
    foreign = {field for field in table if field.split(".")[0] in oci.FOREIGN_SECTIONS}
    assert foreign == set(oci.FOREIGN_SECTIONS)
    assert set(table) - foreign == fields_of(oci.Spec) - NEWER_OR_OLDER


def test_the_tests_it_names_exist() -> None:
    sources = {path.name: path.read_text() for path in (ROOT / "tests").rglob("test_*.py")}
    missing = []
    for kind, text in rows().values():
        file, _, function = text.partition("::")
        if kind == "implemented" and f"def {function}" not in sources.get(file, ""):
            missing.append(text)
    assert sorted(set(missing)) == []


def test_errors_it_names_are_in_the_code() -> None:
    places = (ROOT / "src/boxship/runtime", ROOT / "src/boxship/oci")
    code = "".join(path.read_text() for place in places for path in place.rglob("*.py"))
    for kind, text in rows().values():
        if kind == "refused":
            assert text.partition(": ")[2] in code
