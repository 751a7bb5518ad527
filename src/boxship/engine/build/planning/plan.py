"""Plan one platform's build. Start reading here.

``plan`` returns a :class:`Plan`, or which images it lacks; then it is asked again. A second attempt
costs less than a millisecond, and what an image brings (``ONBUILD``) can lead to further images.
"""

from collections.abc import Mapping

from msgspec.structs import replace

from boxship.dockerfile.errors import DockerfileError
from boxship.dockerfile.instructions import Dockerfile
from boxship.dockerfile.places import NOWHERE, Range
from boxship.engine.build.planning.configs import shell_of
from boxship.engine.build.planning.lowering import Lowering
from boxship.engine.build.planning.origins import Origins
from boxship.engine.build.planning.scanning import scans
from boxship.engine.build.planning.stage import StageState
from boxship.engine.build.planning.variables import unused
from boxship.engine.build.planning.wish import (
    BaseImage,
    Chain,
    ImageKey,
    Missing,
    Plan,
    PlannedHistory,
    Wish,
)
from boxship.engine.build.planning.words import beside
from boxship.engine.build.progress import PlannedStep
from boxship.oci.digest import Digest
from boxship.solver.graph import Graph


def plan(
    dockerfile: Dockerfile,
    wish: Wish,
    images: Mapping[ImageKey, BaseImage],
    graph: Graph[Range],
) -> tuple[Plan, Graph[Range]] | Missing:
    """Plan, adding to a copy of ``graph``. Raise DockerfileError with the place."""
    copy = Graph(dict(graph.vertices))
    origins = Origins(wish, copy, images)
    lowering = Lowering(dockerfile, wish, copy, origins)
    try:
        target = lowering.stage(_target(lowering))
    except RecursionError:
        raise DockerfileError("too many stages stand on each other", NOWHERE) from None
    except DockerfileError:
        # It may come of an image's config that nobody knows yet.
        if not origins.missing:
            raise
    if origins.missing:
        return Missing(tuple(origins.missing.values()))
    return _finished(lowering, target), copy


def _target(lowering: Lowering) -> int:
    stages, wanted = lowering.dockerfile.stages, lowering.wish.target
    if not wanted:
        return len(stages) - 1
    found = lowering.find(wanted, len(stages))
    if found is None:
        named = [stage.name for stage in stages if stage.name]
        known = f"the stages are {', '.join(named)}" if named else "no stage has a name"
        if lowering.wish.classic:
            raise DockerfileError(f"failed to reach build target {wanted} in Dockerfile", NOWHERE)
        raise DockerfileError(f'target stage "{wanted}" could not be found', NOWHERE, hint=known)
    return found


def _finished(lowering: Lowering, stage: StageState) -> Plan:
    wish = lowering.wish
    if wish.classic and stage.tree is None and not stage.history:
        raise DockerfileError("No image was generated. Is your Dockerfile empty?", NOWHERE)
    config, history = stage.config, list(stage.history)
    if wish.labels:
        config = replace(config, labels={**(config.labels or {}), **wish.labels})
        if wish.classic:
            for name, value in wish.labels.items():
                text = beside(shell_of(config), f" LABEL {name}={value}", classic=True)
                history.append(PlannedHistory(text, author=stage.author))
    return Plan(
        platform=stage.platform,
        tree=stage.tree,
        config=config,
        base=stage.base,
        base_name=stage.base_name,
        base_id=stage.base_id,
        author=stage.author,
        history=tuple(history),
        steps=_steps(lowering),
        unused_args=unused(wish.build_args, lowering.declared),
        images=tuple(lowering.origins.used.values()),
        stage=lowering.dockerfile.stages[stage.index].name or str(stage.index),
        environments=lowering.environments,
        modified_ns=wish.modified_ns,
        chains=tuple(
            Chain(each.platform, each.base, tuple(each.history))
            for each in lowering.stages.values()
        ),
        scans=scans(lowering, stage),
    )


def _steps(lowering: Lowering) -> tuple[PlannedStep, ...]:
    """Number the instructions of all stages that are needed, as the classic builder counts."""
    rows: list[tuple[str, Digest | None, str, int]] = [
        (each.code, None, "", each.where.line_start) for each in lowering.dockerfile.arguments
    ]
    for index in sorted(lowering.stages):
        stage = lowering.stages[index]
        rows += [(done.text, done.vertex, stage.label, done.line) for done in stage.done]
    if lowering.wish.labels and lowering.wish.classic:
        rows += [(f"LABEL {n}={v}", None, "", 0) for n, v in lowering.wish.labels.items()]
    total = len(rows)
    return tuple(
        PlannedStep(number, total, text, vertex, stage, line)
        for number, (text, vertex, stage, line) in enumerate(rows, 1)
    )
