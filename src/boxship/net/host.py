"""The daemon's own side of all sandboxes: bridges, host ends, and telling neighbours."""

from collections.abc import Collection
from types import TracebackType
from typing import Self

from boxship.net.announcing import Announcer
from boxship.net.links import Links


class Host:
    """Sockets in the network namespace of the thread that made it. Thread-safe; one for all.

    ``mark`` is the alias of each interface that sandboxes get here. It tells those of this daemon
    from other people's when leftovers are looked for, so daemons side by side have different ones.
    """

    def __init__(self, mark: str = "boxship") -> None:
        self.mark = mark
        self.links = Links.open()
        self.announcer = Announcer()

    def leftovers(self, known: Collection[str]) -> list[str]:
        """Return the names of interfaces that bear our mark and are not among ``known``."""
        return [
            link.name
            for link in self.links.all()
            if link.alias == self.mark and link.name not in known
        ]

    def sweep(self, known: Collection[str]) -> list[str]:
        """Remove the leftovers of a killed daemon, and return their names.

        There are some only if a stranger holds a namespace of ours: else the kernel has taken all
        of them away with it.
        """
        names = self.leftovers(known)
        self.links.remove_all(names)
        return names

    def close(self) -> None:
        """Close the sockets; safe to repeat."""
        self.links.close()
        self.announcer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
