"""``create``: make a container whose process waits for ``start``."""

import os

from boxship.runtime.cli.call import Call
from boxship.runtime.cli.creation import Creation, check_terminal


def run(call: Call) -> int:
    """Make it and leave."""
    creation = Creation(call)
    check_terminal(call, terminal=creation.plan.process.terminal, detached=True)
    os.close(creation.make(waits=True).pidfd)
    return 0
