"""Docker's own description of the Engine API, where it lies beside the repository.

Every answer that a parity run has from our daemon is held against it: no member that it doesn't
describe, none of another type. It is a description of the newest version; what scenarios ask for in
an older one is asked for again in that. Arrays and objects may be null, as Go writes empty ones.
"""

import json
import re
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator

PLACE = Path(__file__).parents[4] / "shared/reference/docker-engine-api-v1.56.yaml"
VERSION = "1.56"
MEANT = {
    r"/containers/\{id\}/json 200 .*MemorySwappiness: None is not": "Docker's daemon says so, too",
    r"/exec/\{id\}/json 200 .*ExitCode: None is not": "Docker's daemon says so, too",
    r"/images/.* 200 .*'LastUsed(Time)?' was unexpected": "when an image was used is beyond Docker",
}
"""Faults that are none, and why."""
_KEPT = ("type", "enum", "required")


class Contract:
    """What the description says of answers."""

    def __init__(self, path: Path = PLACE) -> None:
        with path.open() as stream:
            self._document = yaml.load(stream, Loader=yaml.CSafeLoader)
        self._patterns = [
            (re.compile(re.sub(r"\{\w+(:[^}]*)?\}", r"[^/]+", route)), route, operations)
            for route, operations in self._document["paths"].items()
        ]

    def faults(self, method: str, target: str, status: int, body: bytes) -> Iterator[str]:
        """Yield what is wrong with an answer in JSON, and not meant."""
        path = target.partition("?")[0]
        found = [(route, ops) for p, route, ops in self._patterns if p.fullmatch(path)]
        route, operations = found[0] if found else ("", {})
        reply = operations.get(method.lower(), {}).get("responses", {}).get(status)
        if not reply or "schema" not in reply:
            return
        schema = {**self._strict(reply["schema"]), "definitions": self._definitions}
        for error in Draft202012Validator(schema).iter_errors(json.loads(body)):
            fault = f"{method} {route} {status} {error.json_path}: {error.message[:200]}"
            if not any(re.search(meant, fault) for meant in MEANT):
                yield fault

    @cached_property
    def _definitions(self) -> dict[str, Any]:
        return {name: self._strict(node) for name, node in self._document["definitions"].items()}

    def _strict(self, node: dict[str, Any]) -> dict[str, Any]:
        """The schema as JSON Schema, with no members besides those that it names."""
        if "$ref" in node:
            return {"$ref": node["$ref"]}
        node = self._merged(node)
        schema = {key: node[key] for key in _KEPT if key in node}
        kind = schema.get("type")
        if kind in ("array", "object") or node.get("x-nullable"):
            schema["type"] = [kind, "null"]
            if "enum" in schema:
                schema["enum"] = [*schema["enum"], None]
        if "items" in node:
            schema["items"] = self._strict(node["items"])
        if "properties" in node:
            schema["properties"] = {k: self._strict(v) for k, v in node["properties"].items()}
            schema["additionalProperties"] = False
        if isinstance(node.get("additionalProperties"), dict):
            schema["additionalProperties"] = self._strict(node["additionalProperties"])
        return schema

    def _merged(self, node: dict[str, Any]) -> dict[str, Any]:
        """One schema of those that all have to hold."""
        merged = {key: value for key, value in node.items() if key != "allOf"}
        for piece in node.get("allOf", ()):
            name = piece.get("$ref", "").rpartition("/")[2]
            part = self._merged(self._document["definitions"][name] if name else piece)
            properties = {**merged.get("properties", {}), **part.get("properties", {})}
            merged = {**part, **merged}
            if properties:
                merged["properties"] = properties
        return merged
