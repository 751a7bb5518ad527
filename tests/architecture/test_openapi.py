"""The API's description says what there is: no more, no less."""

from typing import Any

import pytest
from jsonschema import Draft202012Validator

from boxship.api.endpoints.table import ROUTES
from boxship.api.openapi import shapes
from boxship.api.openapi.document import document
from boxship.api.openapi.operation import JSON, Operation
from boxship.api.openapi.table import OPERATIONS
from boxship.api.router import Endpoint
from boxship.wire import diskusage
from support.endpointreading import reading_of

_BY_ROUTE = {(operation.method, operation.pattern): operation for operation in OPERATIONS}
_ENDPOINTS = {(method, pattern): endpoint for method, pattern, endpoint in ROUTES}


def test_every_route_is_described_once() -> None:
    """A new route needs a row in `boxship/api/openapi/`, in the file of its noun."""
    described = [(operation.method, operation.pattern) for operation in OPERATIONS]
    assert sorted(described) == sorted(_ENDPOINTS)
    names = [operation.name for operation in OPERATIONS]
    assert sorted(names) == sorted(set(names))


@pytest.mark.parametrize("route", _ENDPOINTS, ids=" ".join)
def test_what_an_endpoint_reads_is_described(route: tuple[str, str]) -> None:
    endpoint, operation = _ENDPOINTS[route], _BY_ROUTE[route]
    read, used = reading_of(endpoint), {p.name for p in operation.parameters if not p.unused}
    assert used == read.names
    _compare_bodies(endpoint, operation)


def _compare_bodies(endpoint: Endpoint, operation: Operation) -> None:
    read, body = reading_of(endpoint), operation.body
    if body is None:
        assert read.shape is None
        assert not read.takes_file
    elif body.media == JSON:
        assert read.shape == body.shape
        assert read.optional_body is not body.required
    else:
        assert read.takes_file


def test_readings_are_not_empty() -> None:
    """What holds the description true would hold nothing if it found nothing."""
    read = reading_of(_ENDPOINTS["GET", "/images/json"])
    assert {"filters", "filter", "manifests"} <= read.names
    read = reading_of(_ENDPOINTS["POST", "/images/create"])
    assert {"fromSrc", "changes", "X-Registry-Auth"} <= read.names
    assert read.takes_file


def test_every_schema_is_one() -> None:
    made = document()
    for schema in made["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)
    assert _references(made) <= {
        f"#/components/{kind}/{name}" for kind in ("schemas", "responses")
        for name in made["components"][kind]
    }  # fmt: skip


def _references(value: Any) -> set[str]:
    if isinstance(value, dict):
        below = [_references(member) for member in value.values()]
        own = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
        return own.union(*below)
    if isinstance(value, list):
        return set().union(*map(_references, value))
    return set()


def test_shapes_that_hold_what_is_encoded_have_all_members() -> None:
    assert shapes.DiskUsage.__struct_fields__ == diskusage.DiskUsage.__struct_fields__
    for usage in (shapes.ImageUsage, shapes.ContainerUsage, shapes.VolumeUsage):
        assert usage.__struct_fields__ == diskusage.Usage.__struct_fields__


def test_variables_are_those_of_the_path() -> None:
    for path, operations in document()["paths"].items():
        names = {part[1:-1] for part in path.split("/") if part.startswith("{")}
        for operation in operations.values():
            given = {p["name"] for p in operation["parameters"] if p["in"] == "path"}
            assert given == names, path
