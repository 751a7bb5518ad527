"""What an audit log holds."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

from boxship.engine.access.audit import AuditEntry, AuditLog


def audited(log: AuditLog, scope: str = "", most: int = 0) -> list[AuditEntry]:
    """The latest ``most`` entries (0: all) of a scope (empty: of all), oldest first."""

    async def told() -> list[AuditEntry]:
        return [entry async for entry in log.tell(scope, most)]

    with ThreadPoolExecutor(1) as beside:  # a test may have a loop of its own
        return beside.submit(asyncio.run, told()).result()
