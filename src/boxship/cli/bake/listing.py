"""``bake --list``: what a project offers, as a table or as JSON."""

import json

from boxship.base.errors import InvalidArgumentError
from boxship.cli.bake.hcl.conversion import to_string
from boxship.cli.bake.hcl.functions.encoding import jsonencode
from boxship.cli.bake.hcl.syntax import Value
from boxship.cli.bake.project import Project


def listed(project: Project, what: str) -> str:
    """Return the list of ``targets`` or ``variables``; ``type=targets,format=json`` is JSON."""
    fields = dict(one.partition("=")[::2] for one in what.split(","))
    kind = fields.get("type", what)
    rows = _targets(project) if kind == "targets" else _variables(project)
    if kind not in ("targets", "variables"):
        raise InvalidArgumentError(f"invalid --list {what}: it is targets or variables")
    if fields.get("format") == "json":
        named = [dict(zip(rows[0], row, strict=True)) for row in rows[1:]]
        return json.dumps(named, indent=2, ensure_ascii=False) + "\n"
    heads = tuple(head.upper() for head in rows[0])
    return "".join("\t".join(row).rstrip() + "\n" for row in (heads, *rows[1:]))


def _targets(project: Project) -> list[tuple[str, ...]]:
    rows = [
        (name, one.description or ", ".join(one.targets)) for name, one in project.groups.items()
    ]
    rows += [
        (name, one.description or "")
        for name, one in project.targets.items()
        if not name.startswith("_")
    ]
    return [("target", "description"), *sorted(rows)]


def _variables(project: Project) -> list[tuple[str, ...]]:
    rows = [(one.name, _shown(one.value), one.description) for one in project.variables]
    return [("variable", "value", "description"), *sorted(rows)]


def _shown(value: Value) -> str:
    if value is None:
        return "<null>"
    return str(jsonencode(value)) if isinstance(value, tuple | dict) else to_string(value)
