"""``explain``: print a bundle's plan as shell commands."""

import os

from boxship.runtime.cli.bundle import load_spec
from boxship.runtime.cli.call import Call
from boxship.runtime.explain import explain
from boxship.runtime.host import Host
from boxship.runtime.plan import plan


def run(call: Call) -> int:
    """Take the bundle as an operand or by its flag."""
    operands = call.arguments.operands
    bundle = os.path.realpath(operands[0] if operands else call.arguments.text("bundle"))
    print("\n".join(explain(plan(load_spec(bundle), "CONTAINER", Host.look()))))
    return 0
