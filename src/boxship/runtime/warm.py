"""Do once in the launcher what every shim would otherwise do for itself.

Building the readers that turn a plan's JSON into its types takes longer than reading a plan; they
are built here for every type a plan can have, before the launcher's memory is shared.
"""

from boxship.runtime.blueprint import CgroupPlan, ProcessPlan
from boxship.runtime.steps import CODEC, STEPS


def warm_up() -> None:
    """Build all readers; a second call costs nothing."""
    for kind in (ProcessPlan, CgroupPlan, *STEPS.values()):
        CODEC.prepare(kind)
