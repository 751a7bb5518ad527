"""Making the document of the table of operations and the shapes they name."""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from boxship import __version__
from boxship.api.openapi.operation import ANY_MAY_FAIL_WITH, JSON, Body, Operation, Parameter, Reply
from boxship.api.openapi.table import OPERATIONS
from boxship.wire.errors import ErrorResponse
from boxship.wire.versions import NEWEST, OLDEST, text

Json = dict[str, Any]

_REFERENCES = "#/components/schemas/{name}"

_ABOUT = f"""\
The Docker Engine API as Boxship serves it, in version {text(NEWEST)}. A path may begin with the
version that its client speaks, `/v{text(OLDEST)}` to `/v{text(NEWEST)}`; the shapes are then those
of that version.

Operations marked `x-beyond-docker` are Boxship's own.

In requests, names of members are taken in any case, `null` means the same as leaving a member out,
and members that are not described are passed over. Names of images may contain slashes.
"""

_VARIABLES = {
    "containers": "Name, id, or beginning of an id, of a container",
    "checkpoint": "Name of a checkpoint",
    "exec": "Id of a process as its creation answered it",
    "images": "Name, id, or beginning of an id, of an image",
    "distribution": "Name of an image, with its registry",
    "networks": "Name, id, or beginning of an id, of a network",
    "volumes": "Name of a volume",
    "plugins": "Name of a plugin",
}

_FAILURES = {
    400: "The request is wrong; the message names what",
    401: "The registry wants a login, or the daemon a token",
    403: "It is not allowed",
    404: "There is no such object",
    409: "The object's state, or another object, stands in the way",
    500: "The kernel, or another program, has refused",
    501: "Docker has it, and this version of Boxship has not",
    503: "Something that is needed is not there",
}

_FILTER_VALUES = {
    "description": "Values of one filter",
    "anyOf": [
        {"type": "array", "items": {"type": "string"}},
        {"type": "object", "additionalProperties": {"type": "boolean"}},
    ],
}


def encoded() -> bytes:
    """Return the document as JSON."""
    return msgspec.json.encode(document()) + b"\n"


def document() -> Json:
    """Return the document as plain objects."""
    shapes = list(_shapes(OPERATIONS))
    found, components = msgspec.json.schema_components(shapes, ref_template=_REFERENCES)
    schemas = _Schemas(shapes, found)
    paths: dict[str, Json] = {}
    for operation in OPERATIONS:
        path = operation.path or operation.pattern.replace("...}", "}")
        paths.setdefault(path, {})[operation.method.lower()] = _operation(operation, path, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Boxship", "version": __version__, "description": _ABOUT},
        "servers": [{"url": "/"}, {"url": f"/v{text(NEWEST)}"}],
        "paths": paths,
        "components": {
            "schemas": {"FilterValues": _FILTER_VALUES, **_plain(components)},
            "responses": {str(status): _failure(status) for status in _FAILURES},
        },
    }


class _Schemas:
    """The schema of each shape that an operation names."""

    def __init__(self, shapes: Sequence[Any], found: Sequence[Json]) -> None:
        self._found = [(shape, _plain(schema)) for shape, schema in zip(shapes, found, strict=True)]

    def of(self, shape: Any) -> Json:
        return next(schema for known, schema in self._found if known == shape)


def _shapes(operations: Sequence[Operation]) -> Iterator[Any]:
    yield ErrorResponse
    for operation in operations:
        if operation.body is not None and operation.body.shape is not None:
            yield operation.body.shape
        yield from (reply.shape for reply in operation.replies if reply.shape is not None)


def _plain(value: Any) -> Any:
    """Rewrite docstrings' marks into those of Markdown, which OpenAPI has."""
    if isinstance(value, dict):
        return {name: _plain(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_plain(member) for member in value]
    return value.replace("``", "`") if isinstance(value, str) else value


def _operation(operation: Operation, path: str, schemas: _Schemas) -> Json:
    described: Json = {
        "operationId": operation.name,
        "summary": operation.about,
        "tags": [path.split("/")[1]],
        "parameters": [*_variables(path), *map(_parameter, operation.parameters)],
    }
    if operation.beyond:
        described["x-beyond-docker"] = True
    if operation.body is not None:
        described["requestBody"] = _body(operation.body, schemas)
    replies = {str(reply.status): _reply(reply, schemas) for reply in operation.replies}
    failures = {
        str(status): {"$ref": f"#/components/responses/{status}"}
        for status in sorted({*ANY_MAY_FAIL_WITH, *operation.errors})
    }
    described["responses"] = replies | failures
    return described


def _variables(path: str) -> list[Json]:
    names = [part[1:-1] for part in path.split("/") if part.startswith("{")]
    noun = path.split("/")[1]
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "description": _VARIABLES.get(name) or _VARIABLES.get(noun) or "Name or id",
            "schema": {"type": "string", "minLength": 1},
        }
        for name in names
    ]


def _parameter(parameter: Parameter) -> Json:
    content = {"content": {JSON: {"schema": parameter.schema}}}
    described: Json = {
        "name": parameter.name,
        "in": parameter.place,
        "description": parameter.about,
        "required": parameter.required,
        **(content if parameter.encoded else {"schema": parameter.schema}),
    }
    if parameter.unused:
        described["x-unused"] = parameter.unused
    return described


def _body(body: Body, schemas: _Schemas) -> Json:
    schema = {} if body.shape is None else {"schema": schemas.of(body.shape)}
    about = {"description": body.about} if body.about else {}
    return {**about, "required": body.required, "content": {body.media: schema}}


def _reply(reply: Reply, schemas: _Schemas) -> Json:
    described: Json = {"description": reply.about}
    if reply.headers:
        described["headers"] = {
            header.name: {"description": header.about, "schema": header.schema}
            for header in reply.headers
        }
    if reply.media:
        schema = {} if reply.shape is None else {"schema": schemas.of(reply.shape)}
        described["content"] = dict.fromkeys(reply.media, schema)
    if reply.lines:
        described["x-lines"] = True
    return described


def _failure(status: int) -> Json:
    schema = {"$ref": _REFERENCES.format(name="ErrorResponse")}
    return {"description": _FAILURES[status], "content": {JSON: {"schema": schema}}}
