"""What stands in for standard modules on a short start-up path does what they do."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from boxship.base import jsontext
from boxship.base.files import opened
from boxship.base.suppress import suppress

VALUES = (
    None, True, -3, 1.5, 2**64 - 1, "", 'a "quoted"\n é \U0001f980', [], {},
    [1, [2, {}], {"a": []}],
    {"a": {"b": [1, "x", None]}, "": False}, ["\ud800"],
)  # fmt: skip


@pytest.mark.parametrize("value", VALUES)
def test_json_as_the_standard_library_writes_and_reads_it(value: object) -> None:
    assert jsontext.dumps(value) == json.dumps(value)
    assert jsontext.dumps(value, compact=True) == json.dumps(value, separators=(",", ":"))
    assert jsontext.pretty(value) == json.dumps(value, indent=2)
    assert jsontext.loads(f" \n{json.dumps(value, indent=1)}\t") == value


@pytest.mark.parametrize("text", ["", "  ", "{", "[1,]", "1 2", "nul", '{"a": 1} x', "\ufeff1"])
def test_json_that_is_none(text: str) -> None:
    with pytest.raises(ValueError, match=r"char|BOM"):
        jsontext.loads(text)


def test_json_is_utf_8() -> None:
    assert jsontext.loads('"é"'.encode()) == "é"
    with pytest.raises(ValueError, match="utf-8"):
        jsontext.loads(b'"\xff"')


def test_what_has_no_json_form() -> None:
    with pytest.raises(TypeError, match="set"):
        jsontext.dumps({"a": {1}})


def test_errors_that_are_not_named_pass() -> None:
    with suppress(FileNotFoundError, PermissionError):
        raise FileNotFoundError
    with pytest.raises(IsADirectoryError), suppress(FileNotFoundError):
        raise IsADirectoryError


def test_a_descriptor_is_closed_at_the_end() -> None:
    with opened("/", 0) as fd:
        assert fd >= 0
    with pytest.raises(OSError, match="Bad file descriptor"), opened("..", 0, dir_fd=fd):
        pass


def test_what_is_no_json_is_told_though_nothing_of_the_package_is_loaded() -> None:
    source = str(Path(jsontext.__file__).parents[2])
    script = (
        f"import sys; sys.path.insert(0, {source!r})\n"
        "from boxship.base import jsontext\n"
        "assert 'json' not in sys.modules\n"
        "try: jsontext.loads('{nope')\n"
        "except ValueError as error: print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("Expecting property name")
