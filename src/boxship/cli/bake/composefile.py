"""Services of Compose files as targets: what ``build`` says, and the extension ``x-bake``."""

import re
from collections.abc import Mapping
from posixpath import normpath
from typing import Any

from boxship.cli.bake.definitions import Group
from boxship.cli.bake.hcl.functions.encoding import from_python
from boxship.cli.bake.target import FIELDS, FieldError, Kind, Target, converted, merged

_VARIABLE = re.compile(
    r"\$(?:(?P<escaped>\$)|(?P<plain>[A-Za-z_]\w*)|"
    r"\{(?P<braced>[A-Za-z_]\w*)(?:(?P<operator>:?[-+?])(?P<word>[^{}]*))?\})"
)
_NOT_OF_A_TARGET = re.compile("[^a-zA-Z0-9_-]")
# A service's key below ``build``, and the field that it is.
_BUILD = {
    "context": "context",
    "dockerfile": "dockerfile",
    "dockerfile_inline": "dockerfile-inline",
    "args": "args",
    "labels": "labels",
    "target": "target",
    "cache_from": "cache-from",
    "cache_to": "cache-to",
    "tags": "tags",
    "network": "network",
    "shm_size": "shm-size",
    "ssh": "ssh",
    "platforms": "platforms",
    "no_cache": "no-cache",
    "pull": "pull",
    "additional_contexts": "contexts",
    "extra_hosts": "extra-hosts",
    "entitlements": "entitlements",
}


def read_compose(document: Any, environment: Mapping[str, str]) -> tuple[dict[str, Target], Group]:
    """Return the targets of a Compose file's services, and the group of all of them.

    ``document`` is the parsed YAML. Raise :class:`FieldError`.
    """
    services = document.get("services") if isinstance(document, dict) else None
    if not isinstance(services, dict):
        raise FieldError("the file has no services")
    secrets = document.get("secrets") or {}
    found: dict[str, Target] = {}
    for service, told in services.items():
        if isinstance(told, dict) and told.get("build") is not None:
            name = _NOT_OF_A_TARGET.sub("_", str(service))
            found[name] = _target(_interpolated(told, environment), secrets, environment)
    return found, Group(tuple(sorted(found)))


def _interpolated(value: Any, environment: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return _VARIABLE.sub(lambda match: _replacement(match, environment), value)
    if isinstance(value, list):
        return [_interpolated(one, environment) for one in value]
    if isinstance(value, dict):
        return {key: _interpolated(one, environment) for key, one in value.items()}
    return value


def _replacement(match: re.Match[str], environment: Mapping[str, str]) -> str:
    if match["escaped"]:
        return "$"
    name, word = match["plain"] or match["braced"], match["word"] or ""
    value = environment.get(name)
    operator = match["operator"] or ""
    absent = not value if operator.startswith(":") else value is None
    if operator.endswith("-") and absent:
        return word
    if operator.endswith("+"):
        return "" if absent else word
    if operator.endswith("?") and absent:
        raise FieldError(f"{name}: {word or 'the variable is required'}")
    return value or ""


def _target(told: dict[str, Any], secrets: Any, environment: Mapping[str, str]) -> Target:
    build = told["build"]
    if isinstance(build, str):
        build = {"context": build}
    values = {}
    for key, name in _BUILD.items():
        if build.get(key) is not None:
            one = FIELDS[name]
            value = _shaped(build[key], one.kind, environment)
            values[one.attribute] = converted(one, from_python(value))
    if build.get("secrets"):
        values["secret"] = tuple(_secret(one, secrets) for one in build["secrets"])
    if build.get("ulimits"):
        values["ulimits"] = tuple(_ulimit(*one) for one in build["ulimits"].items())
    if told.get("image") and not values.get("tags"):
        values["tags"] = (str(told["image"]),)
    return merged(Target(**values), _extension(build.get("x-bake") or {}))


def _shaped(value: Any, kind: Kind, environment: Mapping[str, str]) -> Any:
    """Bring a value to the one form of several that Compose allows."""
    if kind is Kind.MAP and isinstance(value, list):
        pairs = (str(one).partition("=") for one in value)
        value = {name: text if separator else None for name, separator, text in pairs}
    if kind is Kind.MAP:
        # A name alone stands for the variable of that name.
        return {
            name: environment.get(name) if text is None else text for name, text in value.items()
        }
    if kind in (Kind.TEXTS, Kind.MORE) and isinstance(value, dict):
        return [f"{name}={text}" if text else name for name, text in value.items()]
    if kind in (Kind.TEXTS, Kind.MORE) and isinstance(value, str):
        return [value]
    return value


def _secret(told: Any, secrets: Any) -> str:
    name = str(told if isinstance(told, str) else told.get("source"))
    source = secrets.get(name) or {}
    if source.get("file"):
        return f"id={name},src={normpath(str(source['file']))}"
    if source.get("environment"):
        return f"id={name},env={source['environment']}"
    return f"id={name}"


def _ulimit(name: str, limit: Any) -> str:
    if isinstance(limit, dict):
        return f"{name}={limit.get('soft')}:{limit.get('hard')}"
    return f"{name}={limit}"


def _extension(told: dict[str, Any]) -> Target:
    values = {}
    for key, value in told.items():
        one = FIELDS.get(key)
        if one is None:
            raise FieldError(f'x-bake has no field "{key}"')
        listed = (
            [value] if one.kind in (Kind.TEXTS, Kind.MORE) and isinstance(value, str) else value
        )
        values[one.attribute] = converted(one, from_python(listed))
    return Target(**values)
