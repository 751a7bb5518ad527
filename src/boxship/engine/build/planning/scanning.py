"""What the Dockerfile's arguments want an SBOM of, beside the image; pure.

``BUILDKIT_SBOM_SCAN_STAGE`` and ``BUILDKIT_SBOM_SCAN_CONTEXT`` count where they are declared:
before the first stage for all stages, within one for that one. A value is true, false, or names of
stages.
"""

from boxship.dockerfile.instructions import Arg
from boxship.engine.build.planning.lowering import Lowering
from boxship.engine.build.planning.stage import StageState
from boxship.engine.build.requests import CONTEXT, EmptyContext
from boxship.oci.digest import Digest

_STAGE, _CONTEXT = "BUILDKIT_SBOM_SCAN_STAGE", "BUILDKIT_SBOM_SCAN_CONTEXT"
_TRUTH = {"1": True, "t": True, "true": True, "0": False, "f": False, "false": False}


def scans(lowering: Lowering, target: StageState) -> tuple[tuple[str, Digest], ...]:
    """Return the names and vertices, of stages in their order; the target is scanned anyhow."""
    found = []
    stages = [lowering.stages[index] for index in sorted(lowering.stages)]
    for stage in stages:
        if stage is not target and stage.tree is not None and _wants(lowering, stage, _STAGE):
            found.append((stage.label, stage.tree))
    context = lowering.wish.context
    wanted = any(_wants(lowering, stage, _CONTEXT) for stage in stages)
    if wanted and context is not None and not isinstance(context, EmptyContext):
        place = lowering.dockerfile.stages[target.index].start.where
        vertex = lowering.origins.context(place)
        found += [] if vertex is None else [(CONTEXT, vertex)]
    return tuple(found)


def _wants(lowering: Lowering, stage: StageState, name: str) -> bool:
    source = lowering.dockerfile.stages[stage.index]
    arguments = [each for each in source.instructions if isinstance(each, Arg)]
    own = any(name == one.name for each in arguments for one in each.definitions)
    value = (stage.scope if own else lowering.around).variables.get(name, "")
    known = _TRUTH.get(value.lower())
    if known is not None or not value:
        return bool(known)
    return stage.label in value.split(",")
