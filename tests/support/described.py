"""The API's own description, to hold answers against."""

import json
import re
from dataclasses import dataclass
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator

from boxship.api.openapi.document import encoded

Json = dict[str, Any]


@dataclass(frozen=True)
class Described:
    """One operation and where it stands."""

    method: str
    path: str
    operation: Json

    @property
    def name(self) -> str:
        return str(self.operation["operationId"])


class Description:
    """What a document says of all operations; `faults` compares an answer with it."""

    def __init__(self, document: Json) -> None:
        self.document = document
        self.operations = [
            Described(method.upper(), path, operation)
            for path, operations in document["paths"].items()
            for method, operation in operations.items()
        ]
        self._validators: dict[str, Draft202012Validator] = {}
        self._patterns = [(_pattern(each.path), each) for each in self.operations]

    def find(self, method: str, path: str) -> Described | None:
        """The operation of a path; one without variables is taken first."""
        fitting = [e for p, e in self._patterns if e.method == method and p.fullmatch(path)]
        return min(fitting, key=lambda each: (each.path.count("{"), -len(each.path)), default=None)

    def faults(self, method: str, path: str, status: int, media: str, body: bytes) -> list[str]:
        """What is wrong with an answer; nothing, if the description tells of it."""
        described = self.find(method, path)
        if described is None:
            return [] if status == 404 else [f"{method} {path} is not described"]
        where = f"{method} {described.path} {status}"
        reply = described.operation["responses"].get(str(status))
        if reply is None:
            return [f"{where} is not described: {body[:200]!r}"]
        if "$ref" in reply:
            reply = self.document["components"]["responses"][reply["$ref"].rpartition("/")[2]]
        if method == "HEAD" or status in (101, 204, 304):
            return [f"{where}: there is a body"] if body and status != 101 else []
        content = reply.get("content", {})
        if not (content and (media or body)):
            return [f"{where}: there is a body: {body[:200]!r}"] if body else []
        if media not in content:
            return [f"{where}: {media} is not described"]
        if media != "application/json":
            return []
        values = body.splitlines() if reply.get("x-lines") else [body]
        return self._mismatches(where, content[media].get("schema", {}), values)

    def _mismatches(self, where: str, schema: Json, values: list[bytes]) -> list[str]:
        validator = self._validator(where, schema)
        return [
            f"{where}: {error.json_path}: {error.message[:300]}"
            for value in values
            for error in validator.iter_errors(json.loads(value))
        ]

    def _validator(self, where: str, schema: Json) -> Draft202012Validator:
        if where not in self._validators:
            whole = {**schema, "components": self.document["components"]}
            self._validators[where] = Draft202012Validator(whole)
        return self._validators[where]


def _pattern(path: str) -> re.Pattern[str]:
    """Names of images have slashes; no other object's name has."""
    several = path.startswith(("/images/", "/distribution/", "/plugins/"))
    variable = ".+" if several else "[^/]+"
    return re.compile(re.sub(r"\\{[^/]*\\}", variable, re.escape(path)))


@cache
def ours() -> Description:
    """That of the program under test."""
    return Description(json.loads(encoded()))
