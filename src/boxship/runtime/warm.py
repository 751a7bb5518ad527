"""Do once in the launcher what every shim would otherwise do for itself.

Building the readers that turn a plan's JSON into its types takes longer than reading a plan, and
so does compiling what makes these types' instances. Both are done here for every type a plan can
have, before the launcher's memory is shared.
"""

from boxship.base.frozen import compile_initializer
from boxship.runtime.blueprint import CgroupPlan, ProcessPlan
from boxship.runtime.steps import CODEC, STEPS


def warm_up() -> None:
    """Build all readers; a second call costs nothing."""
    for kind in (ProcessPlan, CgroupPlan, *STEPS.values()):
        CODEC.prepare(kind)
    for kind in CODEC.prepared():
        compile_initializer(kind)
