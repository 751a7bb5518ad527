"""Who asked for something, as far as it can be known."""

from msgspec import Struct


class Requester(Struct, frozen=True, omit_defaults=True, rename="pascal"):
    """A client of the API; all fields are empty for nobody.

    A unix socket tells the process (``SO_PEERCRED``, unix(7)): the one that connected, as the
    daemon's namespaces see it. Of the command line only the first two words are kept, because
    others may be secrets. Over TCP there is but an address.
    """

    pid: int = 0
    uid: int = -1
    command: str = ""
    """``docker stop``; empty if the process was gone, or cannot be seen from here."""
    address: str = ""
    """``127.0.0.1:45678``, of a client on the network."""
    agent: str = ""
    """What it calls itself in the header ``User-Agent``."""

    def __bool__(self) -> bool:
        return bool(self.pid or self.address or self.agent)

    def __str__(self) -> str:
        """Name it for a person: ``docker stop (process 4711, user 0)``."""
        if not self:
            return "somebody"
        if not self.pid:
            return f"{self.agent or 'a client'} at {self.address}" if self.address else self.agent
        return f"{self.command or self.agent or 'a client'} (process {self.pid}, user {self.uid})"


NOBODY = Requester()
