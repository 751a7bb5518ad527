"""Every field of what a create says refuses a wrong type and too large a number by its name."""

import re
from typing import Any

import msgspec
import pytest

from boxship.base.errors import InvalidArgumentError
from boxship.wire.containers import CreateBody, UpdateBody
from boxship.wire.decoding import decode_body
from support.shapes import Field, document_with, fields_of

KEYS = {"ExposedPorts": "80/tcp", "PortBindings": "80/tcp"}
WRONG: dict[str, tuple[Any, ...]] = {
    "str": (5, True, [], {}, ["x"]),
    "int": ("5", True, 1.5, 1.0, [], {}, 2**63, -(2**63) - 1, 10**30),
    "bool": ("true", 1, [], {}),
    "list": (5, True, {}),
    "map": (5, True, "x", []),
    "object": (5, True, "x", []),
}
WORDS = {"Cmd", "Entrypoint", "Shell"}
UNSIGNED = {".Weight": 2**16, ".Mode": 2**32, ".ConsoleSize[]": 2**32, ".BlkioWeight": 2**16}
FIELDS = [field for field in fields_of(CreateBody) if field.kind != "any"]


def refusal(path: str, value: object, shape: type[msgspec.Struct] = CreateBody) -> str:
    body = msgspec.json.encode(document_with(path, value, KEYS))
    with pytest.raises(InvalidArgumentError) as caught:
        decode_body(body, shape)
    return str(caught.value)


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: field.path)
def test_a_wrong_type_is_refused_by_the_fields_name(field: Field) -> None:
    place = re.escape(field.path).replace(r"\[\]", r"\[0\]").replace(r"\.\*", r"\[\.\.\.\]")
    values = WRONG[field.kind]
    if field.kind == "list" and field.name not in WORDS:
        values += ("x",)
    for value in values:
        assert re.match(rf"invalid JSON: {place}(\[0\])?: Expected ", refusal(field.path, value))


@pytest.mark.parametrize("name", UNSIGNED)
def test_numbers_that_docker_keeps_short(name: str) -> None:
    paths = [field.path for field in FIELDS if field.path.endswith(name)]
    assert paths
    for path in paths:
        for value in (-1, UNSIGNED[name]):
            place = path.replace("[]", "[0]")
            assert refusal(path, value).startswith(f"invalid JSON: {place}: Expected int ")


@pytest.mark.parametrize("name", ["Memory", "BlkioWeight", "PidsLimit", "NanoCpus"])
def test_an_update_too(name: str) -> None:
    assert refusal(name, 10**30, UpdateBody).startswith(f"invalid JSON: {name}: Expected int <= ")


def test_pairs_are_filled_up_and_cut_off_as_gos_arrays() -> None:
    for sent, meant in (([], (0, 0)), ([5], (5, 0)), ([5, 6, 7], (5, 6))):
        body = msgspec.json.encode({"HostConfig": {"ConsoleSize": sent}})
        host = decode_body(body, CreateBody).host_config
        assert host is not None
        assert host.console_size == meant


def test_a_list_of_words_may_be_one_word() -> None:
    for name in WORDS:
        read = decode_body(msgspec.json.encode({name: "x"}), CreateBody)
        assert getattr(read, name.lower()) == ("x",)
