"""How networks tell the firewall of themselves: a seam, so that they need not know its queue."""

from typing import Protocol

from boxship.engine.networks.record import NetworkRecord


class Walls(Protocol):
    """The firewall, as far as a network as a whole is concerned."""

    async def add(self, network: NetworkRecord) -> None:
        """Isolate a network that came about. UnavailableError: the firewall does not work."""
        ...

    async def remove(self, network: NetworkRecord) -> None:
        """Forget a network; one that is not known does not matter."""
        ...


class NoWalls:
    """No firewall: for tests, and until there is one."""

    async def add(self, network: NetworkRecord) -> None:
        pass

    async def remove(self, network: NetworkRecord) -> None:
        pass
