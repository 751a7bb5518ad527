"""Where collectors of metrics find the engine's; pure::

    <exec-root>/metrics/            /run/docker of managed collectors, which see this alone of it
        metrics.sock                answers GET /metrics, in the form of Prometheus
        plugins/                    where they have their own sockets' directory mounted
    <exec-root>/metrics.sock        a link, for those that see what the host sees

It is the directory that is mounted, not the socket: plugins outlive the daemon, and the next one
binds another socket.
"""

INSIDE = "/run/docker"
SOCKET = "metrics.sock"


def directory(exec_root: str) -> str:
    """Return the directory of the socket."""
    return f"{exec_root}/metrics"


def link(exec_root: str) -> str:
    """Return the link to the socket."""
    return f"{exec_root}/{SOCKET}"
