"""JSON with places: values as json has them, and errors that say where."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boxship.daemon.jsontext import JsonTextError, decode, read

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@given(VALUES, st.sampled_from([None, 0, 2]))
def test_what_json_writes_is_read(value: object, indent: int | None) -> None:
    assert read(json.dumps(value, indent=indent)).value == value


def test_places_are_of_keys_and_items() -> None:
    document = read('{\n  "hosts": [\n    "a",\n    "b"],\n "x": {"y": 1}}\n')
    shown = {path: str(place) for path, place in document.places.items()}
    assert shown == {
        (): "line 1, column 1",
        ("hosts",): "line 2, column 3",
        ("hosts", 0): "line 3, column 5",
        ("hosts", 1): "line 4, column 5",
        ("x",): "line 5, column 2",
        ("x", "y"): "line 5, column 8",
    }


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "line 1, column 2: expected a key in double quotes, found the end of the file"),
        ('{"a": 1,\n}', "line 2, column 1: expected a key in double quotes, found '}'"),
        ("{'a': 1}", 'line 1, column 2: expected a key in double quotes, found "\'"'),
        ('{"a" 1}', "line 1, column 6: expected ':' after a, found '1'"),
        ('{"a": 1 "b": 2}', "line 1, column 9: expected ',' or '}', found '\"'"),
        ('{\n"a": True}', "line 2, column 6: expected a value, found 'True'"),
        ('{"a": NaN}', "line 1, column 7: expected a value, found 'NaN'"),
        ('{"a": }', "line 1, column 7: expected a value, found '}'"),
        ('{"a": [1,]}', "line 1, column 10: expected a value, found ']'"),
        ('{"a": 01}', "line 1, column 8: expected ',' or '}', found '1'"),
        ('{"a": 1} x', "line 1, column 10: 'x' after the end of the value"),
        (
            '{\n  // why\n  "a": 1}',
            "line 2, column 3: expected a key in double quotes, found a com",
        ),
        ('{"a": "b\n"}', "line 1, column 9: invalid control character"),
        ('{"a": "b', "line 1, column 7: unterminated string"),
        ('{"a": 1,\n "b": 2,\n "a": 1}', "line 3, column 2: a stands there twice, first in line 1"),
        ("[" * 100, "line 1, column 66: nested more than 64 deep"),
    ],
)
def test_errors_say_where(text: str, told: str) -> None:
    with pytest.raises(JsonTextError) as refused:
        read(text)
    assert str(refused.value).startswith(told)


def test_bytes_that_are_no_text_are_named_with_their_place() -> None:
    assert decode(b"\xef\xbb\xbf{}") == "{}"
    with pytest.raises(JsonTextError, match="line 2, column 4: byte 0xff is not UTF-8"):
        decode(b'{\n "a\xff"}')
    with pytest.raises(JsonTextError, match="line 1, column 2: a NUL byte"):
        decode(b"{\0}")
