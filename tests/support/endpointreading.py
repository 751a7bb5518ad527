"""What endpoints read of a request, by reading the endpoints.

An endpoint passes its `call` on to functions of its own package; these are followed, as far as
they are given it. Bodies are files (read as they come) or JSON of a shape.
"""

import ast
import importlib
import inspect
import sys
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

_READERS = {
    *("call.text", "call.boolean", "call.integer", "call.characters", "call.timestamp"),
    *("call.request.query.get", "call.request.parameter"),
}
_OF_HEADERS = {
    "check_upgrade": {"Upgrade"},
    "credentials": {"X-Registry-Auth"},
    "registry_logins": {"X-Registry-Config"},
    "offered": {f"X-Docker-Expose-Session-{name}" for name in ("Uuid", "Name", "Sharedkey")},
}
_OWN = ("boxship.api.",)


@dataclass
class Reading:
    """Names of parameters and headers, and the shape of a JSON body."""

    names: set[str] = field(default_factory=set)
    shape: Any = None
    optional_body: bool = False
    takes_file: bool = False


def reading_of(endpoint: Callable[..., Any]) -> Reading:
    """What the endpoint reads."""
    found = Reading()
    _follow(endpoint, found, set())
    return found


def _follow(function: Callable[..., Any], found: Reading, seen: set[Any]) -> None:
    if function in seen or not function.__module__.startswith(_OWN):
        return
    seen.add(function)
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    space = {**vars(sys.modules[function.__module__]), **_imported_late(tree)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            _note(node, space, found)
            for callee in _callees(node, space):
                _follow(callee, found, seen)
    found.takes_file |= "aiter(call.request.body)" in inspect.getsource(function)


def _imported_late(tree: ast.AST) -> dict[str, Any]:
    """What a function imports itself."""
    return {
        name.asname or name.name: getattr(importlib.import_module(node.module), name.name)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module
        for name in node.names
    }


def _note(node: ast.Call, space: dict[str, Any], found: Reading) -> None:
    called = ast.unparse(node.func)
    first = node.args[0] if node.args else None
    if called in _READERS:
        # A name that is no constant is one of `wanted_platforms`, which is known below.
        found.names |= {str(first.value)} if isinstance(first, ast.Constant) else set()
    elif called == "call.filters":
        found.names.add("filters")
    elif called in ("wanted_platform", "wanted_platforms"):
        given = node.args[1:]
        found.names.add(str(ast.literal_eval(given[0])) if given else "platform")
    elif called in _OF_HEADERS:
        found.names |= _OF_HEADERS[called]
    elif called in ("call.body", "call.optional_body") and first is not None:
        found.shape = _evaluate(first, space)
        found.optional_body = called == "call.optional_body"
    elif called == "call.list_body" and first is not None:
        found.shape = tuple[_evaluate(first, {"str": str, **space}), ...]  # type: ignore[misc]
    elif called == "decode_body":
        found.shape, found.optional_body = _evaluate(node.args[1], space), True


def _evaluate(node: ast.expr, space: dict[str, Any]) -> Any:
    names = ast.unparse(node).split(".")
    value = space[names[0]]
    for name in names[1:]:
        value = getattr(value, name)
    return value


def _callees(node: ast.Call, space: dict[str, Any]) -> Iterator[Callable[..., Any]]:
    given = [ast.unparse(value) for value in (*node.args, *(k.value for k in node.keywords))]
    callee = space.get(ast.unparse(node.func))
    if "call" not in given or callee is None:
        return
    if inspect.isclass(callee):
        yield from (f for _, f in inspect.getmembers(callee, inspect.isfunction))
    elif inspect.isfunction(callee):
        yield callee
