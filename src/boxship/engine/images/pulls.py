"""Pulls that have not ended: what they have finished stays, even if the daemon is killed.

A row is written before the first layer of a pull is committed, and goes when the pull ends. While
it is there its layers are needed (``ImageScope.needed_layers``), so the repeated pull finds them.

Layers are flushed at the end of a pull, not one by one: after a power loss they may be damaged.
So a row of an earlier boot protects nothing.
"""

import sqlite3
from collections.abc import Callable, Collection
from dataclasses import dataclass

import msgspec

from boxship.engine.records.database import Change, Database
from boxship.oci.digest import Digest

LONGEST_NS = 24 * 3600 * 1_000_000_000
"""How long the layers of a pull that nobody repeats are kept."""


@dataclass(frozen=True, slots=True)
class UnfinishedPull:
    """The layers of one platform's image of a name."""

    name: str
    platform: str
    layers: tuple[Digest, ...]
    at_ns: int


class UnfinishedPulls:
    """All of them. Belongs to the event loop."""

    def __init__(self, database: Database, boot_id: str) -> None:
        self._database = database
        self._boot_id = boot_id
        self._pulls: dict[tuple[str, str], UnfinishedPull] = {}
        query = "SELECT name, platform, layers, at_ns, boot_id FROM pulls"
        for name, platform, layers, at_ns, boot in database.load(query):
            assert isinstance(layers, bytes)
            assert isinstance(at_ns, int)
            if boot == boot_id:
                digests = msgspec.json.decode(layers, type=tuple[str, ...])
                self._keep(
                    UnfinishedPull(
                        str(name), str(platform), tuple(map(Digest.parse, digests)), at_ns
                    )
                )

    def __len__(self) -> int:
        return len(self._pulls)

    def layers(self) -> set[Digest]:
        """Return the layers, present or to come, that must stay."""
        return {layer for pull in self._pulls.values() for layer in pull.layers}

    async def begin(self, pull: UnfinishedPull) -> set[Digest]:
        """Remember a pull before its first layer is in the store.

        Returns the layers that an earlier pull of the name wanted and this one doesn't.
        """
        layers = msgspec.json.encode([str(layer) for layer in pull.layers])
        row = (pull.name, pull.platform, layers, pull.at_ns, self._boot_id)

        def change(db: sqlite3.Connection) -> None:
            db.execute("INSERT OR REPLACE INTO pulls VALUES(?, ?, ?, ?, ?)", row)

        await self._database.write(change, durable=False)
        before = self._pulls.get((pull.name, pull.platform))
        self._keep(pull)
        return set(before.layers) - set(pull.layers) if before else set()

    async def end(self, name: str, platform: str) -> tuple[Digest, ...]:
        """Forget a pull; return its layers, which may need to be swept."""
        pull = self._pulls.pop((name, platform), None)
        if pull is None:
            return ()
        await self._database.write(_deletion([pull]), durable=False)
        return pull.layers

    def drop(
        self, *, older_than_ns: int, whole: Collection[tuple[Digest, ...]] = ()
    ) -> set[Digest]:
        """Forget those that began before then; return their layers. Does not wait for the disk.

        Also those whose layers are a ``whole`` image's: a crash came after the image's record, and
        before the end of the pull was written down.
        """
        old = [
            pull
            for pull in self._pulls.values()
            if pull.at_ns < older_than_ns or pull.layers in whole
        ]
        return self._forget(old)

    def abandon(self, until_ns: int, is_leased: Callable[[Digest], bool]) -> set[Digest]:
        """Forget those that began by then and are not under way; return their layers.

        A pull under way has leased the layers that it brings.
        """
        return self._forget(
            [
                pull
                for pull in self._pulls.values()
                if pull.at_ns <= until_ns and not any(map(is_leased, pull.layers))
            ]
        )

    def _forget(self, pulls: list[UnfinishedPull]) -> set[Digest]:
        if pulls:
            for pull in pulls:
                del self._pulls[pull.name, pull.platform]
            self._database.submit(_deletion(pulls), durable=False)
        return {layer for pull in pulls for layer in pull.layers}

    def _keep(self, pull: UnfinishedPull) -> None:
        self._pulls[pull.name, pull.platform] = pull


def _deletion(pulls: list[UnfinishedPull]) -> Change:
    rows = [(pull.name, pull.platform) for pull in pulls]

    def change(db: sqlite3.Connection) -> None:
        db.executemany("DELETE FROM pulls WHERE name = ? AND platform = ?", rows)

    return change
