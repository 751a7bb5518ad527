"""Managed plugins: install, look, set, enable, disable, upgrade, push, remove."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, cast

from boxship.api.call import EMPTY, NO_CONTENT, Call
from boxship.api.http.messages import Answer, Headers, Stream
from boxship.api.registryauth import credentials
from boxship.api.streams import told
from boxship.api.views import plugins as views
from boxship.api.views.transfers import pull_line, push_lines
from boxship.model.image import TransferEvent
from boxship.wire import plugins as shapes
from boxship.wire.jsonstream import Progress

if TYPE_CHECKING:
    from boxship.engine.managed.installing import PullPlugin


_NAME = "Docker-Plugin-Name"
"""A client that pulls learns from it what to set and enable."""


def list_plugins(call: Call) -> Answer:
    found = call.backend.managed().list(call.filters())
    return call.json_list([views.row(record) for record in found])


def inspect(call: Call) -> Answer:
    return call.json(views.row(call.backend.managed().inspect(call.target)))


async def privileges(call: Call) -> Answer:
    installer = call.backend.managed().installer
    found = await installer.privileges(call.text("remote"), credentials(call.request))
    return call.json_list([views.privilege_row(each) for each in found])


async def create(call: Call) -> Answer:
    installer = call.backend.managed().installer
    await installer.create(call.text("name"), aiter(call.request.body))
    return NO_CONTENT


async def pull(call: Call) -> Answer:
    wish = replace(await _wish(call), name=call.text("name"))
    installer = call.backend.managed().installer
    headers = {_NAME: installer.name_of(wish)}
    return _stream(_pulling(installer.pull(wish)), headers)


async def upgrade(call: Call) -> Answer:
    events = call.backend.managed().installer.upgrade(call.target, await _wish(call))
    return _stream(_pulling(events))


async def push(call: Call) -> Answer:
    events = call.backend.managed().installer.push(call.target, credentials(call.request))
    return _stream(_pushing(events))


async def enable(call: Call) -> Answer:
    await call.backend.managed().enable(call.target, call.integer("timeout") or 0)
    return EMPTY


async def disable(call: Call) -> Answer:
    await call.backend.managed().disable(call.target, force=call.boolean("force"))
    return EMPTY


async def change(call: Call) -> Answer:
    words = await call.list_body(str)
    await call.backend.managed().set(call.target, words)
    return NO_CONTENT


async def remove(call: Call) -> Answer:
    record = await call.backend.managed().remove(call.target, force=call.boolean("force"))
    return call.json(views.row(record))


async def _wish(call: Call) -> "PullPlugin":
    installing = import_module("boxship.engine.managed.installing")  # with the first plugin
    rows = await call.list_body(shapes.PrivilegeRow)
    wish = installing.PullPlugin(
        call.text("remote"),
        granted=tuple(map(views.privilege, rows)),
        credentials=credentials(call.request),
    )
    return cast("PullPlugin", wish)


def _stream(lines: AsyncGenerator[Progress, None], headers: Headers | None = None) -> Answer:
    encoded = told(lines, with_code=False)
    return Stream(encoded, awaits_first=True, endless=True, headers=headers or {})


async def _pulling(events: AsyncGenerator[TransferEvent, None]) -> AsyncGenerator[Progress, None]:
    async with aclosing(events):
        async for event in events:
            yield pull_line(event)


async def _pushing(events: AsyncGenerator[TransferEvent, None]) -> AsyncGenerator[Progress, None]:
    async with aclosing(events):
        async for event in events:
            for line in push_lines(event):
                yield line


ROUTES = (
    ("GET", "/plugins", list_plugins),
    ("GET", "/plugins/privileges", privileges),
    ("POST", "/plugins/pull", pull),
    ("POST", "/plugins/create", create),
    ("GET", "/plugins/{name...}/json", inspect),
    ("POST", "/plugins/{name...}/enable", enable),
    ("POST", "/plugins/{name...}/disable", disable),
    ("POST", "/plugins/{name...}/set", change),
    ("POST", "/plugins/{name...}/push", push),
    ("POST", "/plugins/{name...}/upgrade", upgrade),
    ("DELETE", "/plugins/{name...}", remove),
)
