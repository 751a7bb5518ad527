"""From files to a plan: which targets are built, each with all that it inherits.

::

    files ──► Definitions (HCL, JSON) ─┐
          └─► services (Compose) ──────┴─► Project ──► plan(names, overrides) ──► Plan
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from posixpath import normpath

import yaml

from boxship.cli.bake.composefile import read_compose
from boxship.cli.bake.definitions import BLOCKS, Definitions, Group, Variable
from boxship.cli.bake.hcl.body import parse, parse_json
from boxship.cli.bake.hcl.conversion import ConversionError
from boxship.cli.bake.hcl.syntax import Body, HclError, Value
from boxship.cli.bake.overrides import Override, matching, overridden
from boxship.cli.bake.target import FIELDS, FieldError, Target, merged
from boxship.dockerfile.suggestions import nearest

DEFAULT_FILES = (
    "compose.yaml",
    "compose.yml",
    "docker-compose.yml",
    "docker-compose.yaml",
    "docker-bake.json",
    "docker-bake.hcl",
    "docker-bake.override.json",
    "docker-bake.override.hcl",
)
"""Files that are read if none is named; all that exist."""


class BakeError(ValueError):
    """The files can't be read, or do not define what is asked for."""


@dataclass(frozen=True, slots=True)
class Source:
    """A file: its name, and its text."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What is built. ``linked`` are targets that only serve as another's context."""

    groups: Mapping[str, Group]
    targets: Mapping[str, Target]
    linked: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Project:
    """All definitions of a list of files."""

    groups: Mapping[str, Group]
    targets: Mapping[str, Target]
    variables: tuple[Variable, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)

    def plan(self, names: Iterable[str], overrides: Iterable[Override] = ()) -> Plan:
        """Return the targets that ``names`` (targets, groups) stand for; raise BakeError."""
        wanted = list(names) or ["default"]
        changes = matching(overrides, self.targets)
        groups: dict[str, Group] = {}
        chosen: dict[str, None] = {}
        for name in wanted:
            self._choose(name, chosen, groups, ())
        targets = {name: self._complete(name, changes) for name in chosen}
        linked = self._linked(targets, changes)
        if wanted != ["default"] or "default" not in groups:
            earlier = groups.get("default", Group(())).targets
            groups["default"] = Group(tuple(dict.fromkeys((*earlier, *wanted))))
        if groups["default"].targets == ("default",):
            groups["default"] = Group(tuple(chosen))
        return Plan(groups, {**targets, **linked}, frozenset(linked))

    def _choose(
        self, name: str, chosen: dict[str, None], groups: dict[str, Group], above: tuple[str, ...]
    ) -> None:
        if name in self.groups and name not in above:
            groups[name] = self.groups[name]
            for one in self.groups[name].targets:
                self._choose(one, chosen, groups, (*above, name))
        elif name in self.targets:
            chosen[name] = None
        elif name not in self.groups:
            if "://" in name or name.startswith("git@"):
                raise BakeError(f"{name}: definitions are read from local files only")
            hint = nearest(name, (*self.targets, *self.groups))
            problem = f"failed to find target {name}"
            raise BakeError(f"{problem} ({hint})" if hint else problem)

    def _complete(self, name: str, changes: Mapping[str, list[Override]]) -> Target:
        target = self._inherited(name, ())
        target = overridden(target, changes.get(name, ()), self.environment)
        context = target.context or "."
        local = "://" not in context and not context.startswith("git@")
        return replace(
            target,
            context=normpath(context) if local and context != "-" else context,
            dockerfile=target.dockerfile or "Dockerfile",
            inherits=None,
        )

    def _inherited(self, name: str, below: tuple[str, ...]) -> Target:
        if name in below:
            raise BakeError(f"targets inherit in a circle: {' from '.join([*below, name])}")
        own = self.targets.get(name)
        if own is None:
            raise BakeError(f"failed to find target {name}, from which {below[-1]} inherits")
        target = Target()
        for parent in own.inherits or ():
            target = merged(target, self._inherited(parent, (*below, name)))
        return merged(target, own)

    def _linked(
        self, targets: Mapping[str, Target], changes: Mapping[str, list[Override]]
    ) -> dict[str, Target]:
        """Return the targets that contexts name and that are not built for themselves."""
        found: dict[str, Target] = {}
        todo = list(targets.items())
        while todo:
            name, target = todo.pop()
            for text in (target.contexts or {}).values():
                other = text.removeprefix("target:")
                if other == text or other in targets or other in found:
                    continue
                if other not in self.targets:
                    raise BakeError(f"failed to find target {other}, a context of {name}")
                found[other] = self._complete(other, changes)
                todo.append((other, found[other]))
        _check_circles({**targets, **found})
        return found


def _check_circles(targets: Mapping[str, Target]) -> None:
    """Raise BakeError if a target is, by others, its own context."""
    done: set[str] = set()

    def visit(name: str, above: tuple[str, ...]) -> None:
        if name in above:
            raise BakeError(f"targets in a circle: {' needs '.join([*above, name])}")
        if name not in done and name in targets:
            for text in (targets[name].contexts or {}).values():
                if text.startswith("target:"):
                    visit(text.removeprefix("target:"), (*above, name))
        done.add(name)

    for name in targets:
        visit(name, ())


def read_project(
    sources: Iterable[Source],
    environment: Mapping[str, str],
    constants: Mapping[str, Value] | None = None,
) -> Project:
    """Read files, later ones over earlier ones; raise BakeError or HclError."""
    definitions = Definitions(environment, constants or {})
    services: dict[str, Target] = {}
    all_services = Group(())
    for source in sources:
        try:
            document = _compose_document(source)
            if document is None:
                definitions.add(_body(source))
                continue
            found, group = read_compose(document, environment)
        except (FieldError, ConversionError, yaml.YAMLError) as error:
            raise BakeError(f"{source.name}: {error}") from None
        for name, target in found.items():
            services[name] = merged(services.get(name, Target()), target)
        all_services = Group(tuple(dict.fromkeys((*all_services.targets, *group.targets))))
    targets, matrices = definitions.targets()
    groups = {"default": all_services} if services else {}
    groups |= matrices | definitions.groups()
    for name, target in targets.items():
        services[name] = merged(services.get(name, Target()), target)
    return Project(groups, services, tuple(definitions.variables()), environment)


def _body(source: Source) -> Body:
    if source.name.endswith(".json"):
        return parse_json(source.text, source.name, BLOCKS)
    return parse(source.text, source.name)


def _compose_document(source: Source) -> object | None:
    """Return the parsed YAML if the file is Compose's, by its name or since it is no HCL."""
    if source.name.endswith((".hcl", ".json")):
        return None
    if not source.name.endswith((".yml", ".yaml")):
        try:
            parse(source.text, source.name)
        except HclError:
            pass
        else:
            return None
    document: object = yaml.safe_load(source.text)
    return document if document is not None else {}


def printed(plan: Plan) -> str:
    """Return the plan as ``--print`` shows it: JSON, groups and targets in alphabetical order."""
    groups = {
        name: ({"description": one.description} if one.description else {})
        | {"targets": list(one.targets)}
        for name, one in sorted(plan.groups.items())
    }
    targets = {}
    for name, target in sorted(plan.targets.items()):
        shown: dict[str, object] = {}
        for one in FIELDS.values():
            value = getattr(target, one.attribute)
            if value is None or (not value and not isinstance(value, bool)):
                continue
            shown[one.name] = dict(sorted(value.items())) if isinstance(value, dict) else value
        targets[name] = shown
    return json.dumps({"group": groups, "target": targets}, indent=2, ensure_ascii=False)
