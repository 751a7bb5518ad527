"""What a Dockerfile offers: its targets, and the parameters of one of them."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from boxship.dockerfile.errors import DockerfileError
from boxship.dockerfile.instructions import Arg, Copy, Definition, Dockerfile, Run, Stage
from boxship.dockerfile.mounts import BindMount, CacheMount, SecretMount, SshMount
from boxship.dockerfile.places import Range
from boxship.dockerfile.suggestions import nearest


@dataclass(frozen=True, slots=True)
class Target:
    """A stage that can be built. ``name`` is empty if only its number names it."""

    name: str
    description: str
    base: str
    platform: str
    default: bool
    where: Range


@dataclass(frozen=True, slots=True)
class Parameter:
    """An argument, a secret, an ssh agent or a cache that a target uses."""

    name: str
    description: str = ""
    default: str | None = None
    required: bool = False
    where: Range = field(default_factory=lambda: Range(0, 0))


@dataclass(frozen=True, slots=True)
class Outline:
    """What can be given to the build of one target, in the order of the text."""

    target: Target
    arguments: tuple[Parameter, ...] = ()
    secrets: tuple[Parameter, ...] = ()
    ssh: tuple[Parameter, ...] = ()
    caches: tuple[Parameter, ...] = ()


def targets(read: Dockerfile) -> tuple[Target, ...]:
    """Return all stages as targets; the last one is the default."""
    return tuple(_target(read, stage) for stage in read.stages)


def find_stage(read: Dockerfile, target: str) -> Stage:
    """Return the stage that ``target`` names or counts; the last one if it is empty.

    Raise :class:`DockerfileError` if there is none.
    """
    if not target:
        return read.stages[-1]
    # A later stage of the same name hides an earlier one.
    for stage in reversed(read.stages):
        if stage.name and stage.name == target.lower():
            return stage
    if target.isdecimal() and len(target) < 10 and int(target) < len(read.stages):
        return read.stages[int(target)]
    names = [stage.name for stage in read.stages if stage.name]
    raise DockerfileError(
        f'target stage "{target}" could not be found', hint=nearest(target, names)
    )


def outline(read: Dockerfile, target: str = "") -> Outline:
    """Return what the build of ``target`` can be given, by all stages that it needs."""
    stage = find_stage(read, target)
    needed = needed_stages(read, stage)
    runs = [one for part in needed for one in part.instructions if isinstance(one, Run)]
    mounts = [(mount, run.where) for run in runs for mount in run.mounts]
    return Outline(
        target=_target(read, stage),
        arguments=_once(_arguments(read, needed)),
        secrets=_once(
            Parameter(mount.id, required=mount.required, where=where)
            for mount, where in mounts
            if isinstance(mount, SecretMount)
        ),
        ssh=_once(
            Parameter(mount.id, required=mount.required, where=where)
            for mount, where in mounts
            if isinstance(mount, SshMount)
        ),
        caches=_once(
            Parameter(mount.id or mount.target, where=where)
            for mount, where in mounts
            if isinstance(mount, CacheMount)
        ),
    )


def _target(read: Dockerfile, stage: Stage) -> Target:
    start = stage.start
    return Target(
        name=stage.name,
        description=start.comment,
        base=start.base,
        platform=start.platform,
        default=stage is read.stages[-1],
        where=start.where,
    )


def needed_stages(read: Dockerfile, stage: Stage) -> list[Stage]:
    """Return ``stage`` and all before it that it uses, in the order of the text."""
    found = {stage.index}
    for one in reversed(read.stages[: stage.index + 1]):
        if one.index in found:
            found |= set(_used(read, one))
    return [one for one in read.stages if one.index in found]


def _used(read: Dockerfile, stage: Stage) -> Iterator[int]:
    before = {str(one.index): one.index for one in read.stages[: stage.index]}
    before |= {one.name: one.index for one in read.stages[: stage.index] if one.name}
    names = [stage.start.base]
    for one in stage.instructions:
        if isinstance(one, Copy) and one.origin is not None:
            names.append(one.origin)
        if isinstance(one, Run):
            names += [
                m.origin for m in one.mounts if isinstance(m, BindMount | CacheMount) and m.origin
            ]
    yield from (before[name.lower()] for name in names if name.lower() in before)


def _arguments(read: Dockerfile, needed: list[Stage]) -> Iterator[Parameter]:
    for arg in read.arguments:
        yield from (_argument(one, arg.where) for one in arg.definitions)
    for stage in needed:
        for one in stage.instructions:
            if isinstance(one, Arg):
                yield from (_argument(definition, one.where) for definition in one.definitions)


def _argument(one: Definition, where: Range) -> Parameter:
    return Parameter(one.name, one.comment, one.default, where=where)


def _once(found: Iterator[Parameter]) -> tuple[Parameter, ...]:
    """Keep of each name the first, for it is the one with the default."""
    kept: dict[str, Parameter] = {}
    for one in found:
        kept.setdefault(one.name, one)
    return tuple(kept.values())
