"""The daemon's own side of all sandboxes: bridges, host ends, and telling neighbours."""

from collections.abc import Callable

from boxship.base.closing import Closing
from boxship.net.announcing import Announcer
from boxship.net.links import Links
from boxship.net.namespaces import NetworkNamespace, run_inside

MARK = "boxship"
"""The alias of each interface that sandboxes get: on a bridge, it tells them from what others have
put there. It is given last, so one without it was not made to its end."""


class Host(Closing):
    """Sockets in the network namespace of the thread that made it. Thread-safe; one for all."""

    def __init__(self) -> None:
        self.namespace = NetworkNamespace.own()
        self.links = Links.open()
        self.announcer = Announcer()

    def run(self, function: Callable[[], None]) -> None:
        """Run ``function`` in the namespace."""
        run_inside(self.namespace, function)

    def close(self) -> None:
        """Close the sockets; safe to repeat."""
        self.links.close()
        self.announcer.close()
        self.namespace.close()
