"""The table of what a container may be asked to be is what the tests' markers and the types say."""

import importlib.util
import sys
from importlib.machinery import SourceFileLoader
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
SWAGGER = ROOT.parent / "shared/reference/docker-engine-api-v1.56.yaml"


@pytest.fixture(scope="module")
def script() -> Any:
    """The script that writes the table, as a module."""
    loader = SourceFileLoader("options_table", str(ROOT / "scripts/options-table"))
    spec = importlib.util.spec_from_loader("options_table", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "dont_write_bytecode", True)
        patch.setattr(sys, "path", list(sys.path))
        patch.setitem(sys.modules, "options_table", module)
        loader.exec_module(module)
    return module


def test_every_field_has_a_test_and_every_marker_a_field(script: Any) -> None:
    page, faults = script.table(script.fields(), list(script.claims()))
    assert faults == []
    written = (ROOT / "docs/reference/container-options.md").read_text()
    assert page == written, "run .venv/bin/python scripts/options-table"


@pytest.mark.skipif(not SWAGGER.exists(), reason="Docker's description of its API is not here")
def test_our_types_have_what_docker_describes(script: Any) -> None:
    assert script.missing(yaml.safe_load(SWAGGER.read_text())) == []


def test_what_is_described_is_found_at_any_depth(script: Any) -> None:
    inner = {"type": "object", "properties": {"Deep": {"type": "array", "items": {"$ref": "/X"}}}}
    document = {
        "definitions": {"X": {"properties": {"Leaf": {"type": "string"}}}, "Y": inner},
        "paths": {
            "/containers/create": {
                "post": {
                    "parameters": [
                        {"in": "query"},
                        {"in": "body", "schema": {"allOf": [{"$ref": "/Y"}]}},
                    ]
                }
            }
        },
    }
    assert script.described(document) == {"Deep", "Deep[].Leaf"}
    assert "Deep[].Leaf: our types do not have it" in script.missing(document)


def test_a_field_without_a_test_and_a_marker_without_a_field_are_faults(script: Any) -> None:
    claims = [
        script.Claim("a", "x::t"),
        script.Claim("c.d", "x::u", refused="not here"),
        script.Claim("f", "x::v", without_effect="no use"),
    ]
    page, faults = script.table(["a", "a.b", "c", "c.d", "e", "f"], claims)
    assert faults == ["e: no test is marked with it"]
    assert "| `a.b` | honoured | `x::t` |" in page
    assert '| `c.d` | refused | "not here": `x::u` |' in page
    assert "| `f` | without effect | no use: `x::v` |" in page
    assert "| `c` |" not in page
    _, faults = script.table(["a"], claims[:2])
    assert faults == ["x::u: no field c.d"]
