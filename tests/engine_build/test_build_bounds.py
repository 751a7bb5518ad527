"""What the daemon's configuration bounds of builds: how many are remembered, and what they may."""

import asyncio
from contextlib import closing
from pathlib import Path

import pytest

from boxship.base.errors import ForbiddenError
from boxship.engine.build.history import History
from boxship.engine.build.logbook import Account, Logbook
from boxship.engine.build.requests import BuildRecord, BuildRequest, check
from boxship.engine.records.database import Database
from boxship.engine.records.schema import MIGRATIONS
from boxship.engine.settings import BuildCacheSettings

HOUR_NS = 3600 * 10**9


class Clock:
    """Stands still."""

    def now_ns(self) -> int:
        return 10 * HOUR_NS

    def monotonic_ns(self) -> int:
        return 0


def kept(tmp_path: Path, settings: BuildCacheSettings) -> list[str]:
    """Return which of six builds are remembered; ``b9`` has ended an hour ago, ``b4`` six."""

    async def scenario(database: Database) -> list[str]:
        history = History(database, Clock(), Logbook(str(tmp_path / "logs")), settings)
        for hour in range(4, 10):
            at_ns = hour * HOUR_NS
            record = BuildRecord(f"b{hour}", "", at_ns, completed_ns=at_ns, pinned=hour == 4)
            await history.end(record, Account())
        rows = await database.read("SELECT id FROM builds")
        assert sorted(str(row[0]) for row in rows) == sorted(r.reference for r in history.all())
        return [record.reference for record in history.all()]

    with closing(Database(str(tmp_path / "records.db"), MIGRATIONS)) as database:
        return asyncio.run(scenario(database))


@pytest.mark.parametrize(
    ("settings", "names"),
    [
        (BuildCacheSettings(), ["b9", "b8", "b7", "b6", "b5", "b4"]),
        (BuildCacheSettings(history_most=2), ["b9", "b8", "b4"]),
        (BuildCacheSettings(history_age_ns=2 * HOUR_NS), ["b9", "b8", "b4"]),
        (BuildCacheSettings(history_most=0), ["b4"]),
    ],
)
def test_history_is_bounded_but_for_what_is_pinned(
    tmp_path: Path, settings: BuildCacheSettings, names: list[str]
) -> None:
    assert kept(tmp_path, settings) == names


def test_entitlements_that_are_denied() -> None:
    asked = BuildRequest(entitlements=frozenset({"network.host"}))
    check(asked)
    check(BuildRequest(), {"network.host"})
    check(BuildRequest(entitlements=asked.entitlements, classic=True), {"network.host"})
    with pytest.raises(
        ForbiddenError, match=r"network\.host is not allowed: builder\.entitlements"
    ):
        check(asked, {"network.host", "device"})
