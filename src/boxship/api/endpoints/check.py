"""The check of the store, which Docker has not: a line of JSON for each event.

::

    POST /boxship/system/check?repair=1
    {"type":"progress","kind":"layer","id":"sha256:…","current":0,"total":0}
    {"type":"finding","kind":"layer","id":"sha256:…","problem":"…","outcome":"repaired",…}
    {"type":"summary","blobs":0,"layers":0,"snapshots":0,"repaired":0,"remaining":0}

Progress is sent now and then. The shapes are those of ``boxship.model.check``.
"""

import time
from collections.abc import AsyncGenerator

import msgspec

from boxship.api.call import Call
from boxship.api.http.messages import Answer, Stream
from boxship.model.check import CheckEvent, CheckProgress

_BETWEEN = 0.2


async def check(call: Call) -> Answer:
    events = call.backend.checker.check(repair=call.boolean("repair"))
    return Stream(_lines(events), awaits_first=True)


async def _lines(events: AsyncGenerator[CheckEvent, None]) -> AsyncGenerator[bytes, None]:
    told = 0.0
    try:
        async for event in events:
            if isinstance(event, CheckProgress):
                if time.monotonic() - told < _BETWEEN:
                    continue
                told = time.monotonic()
            yield msgspec.json.encode(event) + b"\n"
    finally:
        await events.aclose()


ROUTES = (("POST", "/boxship/system/check", check),)
"""Beyond Docker."""
