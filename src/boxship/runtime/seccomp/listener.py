"""Hand the listener of a seccomp filter to the agent that will answer its notifications.

The process has put its filter on and told the number of the listener's descriptor; it is taken
from there and sent to the agent's socket with what the runtime specification calls the container
process state. Loaded only for a filter that has a listener.
"""

import json
import os
import socket

from boxship.kernel import processes
from boxship.runtime.apply import StepError
from boxship.runtime.blueprint import SeccompListener


def hand_over(listener: SeccompListener, pid: int, pidfd: int, number: int) -> None:
    """Send descriptor ``number`` of the process; raise StepError naming the spec's field."""
    try:
        taken = processes.take_descriptor(pidfd, number)
        try:
            _send(listener, pid, taken)
        finally:
            os.close(taken)
    except OSError as error:
        words = f"linux.seccomp.listenerPath: {listener.path}: {error.strerror or error}"
        raise StepError("seccomp", error.errno or 0, words) from error


def _send(listener: SeccompListener, pid: int, taken: int) -> None:
    state = json.loads(listener.state)
    message = {
        "ociVersion": state.get("ociVersion", ""),
        "fds": ["seccompFd"],
        "pid": pid,
        "metadata": listener.metadata,
        "state": {**state, "pid": pid},
    }
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as agent:
        agent.connect(listener.path)
        socket.send_fds(agent, [json.dumps(message).encode()], [taken])
