"""Logs read from the plugin that they went to, where no copy is kept. Hardly ever loaded."""

from collections.abc import AsyncGenerator

from boxship.base.clock import format_ns
from boxship.base.errors import InvalidArgumentError
from boxship.engine.containers.context import Context
from boxship.engine.containers.logconfig import shim_log_config
from boxship.engine.containers.record import ContainerRecord
from boxship.engine.containers.requests import LogLine, LogQuery
from boxship.plugin.capability import Capability
from boxship.plugin.entries import ReadEntry
from boxship.plugin.log import LogPlugin
from boxship.runtime.logs.plugin import info_of


async def read(
    context: Context, record: ContainerRecord, query: LogQuery
) -> AsyncGenerator[list[LogLine], None]:
    """Yield what the plugin has. InvalidArgumentError: it gives nothing back; errors of asking."""
    target = shim_log_config(record, context.paths).target
    assert target is not None
    provider = await context.plugins().provider(Capability.LOG, target.driver)
    plugin = LogPlugin(provider.client)
    if not await plugin.reads():
        raise InvalidArgumentError("configured logging driver does not support reading")
    wanted = {"stdout": query.stdout, "stderr": query.stderr}
    async for entry in plugin.read(info_of(target), _config(query)):
        if wanted[entry.source]:
            yield [_line(entry)]


def _config(query: LogQuery) -> dict[str, object]:
    never = "0001-01-01T00:00:00Z"
    return {
        "Since": format_ns(query.since_ns) if query.since_ns else never,
        "Until": format_ns(query.until_ns) if query.until_ns else never,
        "Tail": -1 if query.tail is None else query.tail,
        "Follow": query.follow,
    }


def _line(entry: ReadEntry) -> LogLine:
    text = entry.line.decode("utf-8", "surrogateescape")
    end = "" if entry.goes_on else "\n"
    return LogLine(f"{text}{end}", entry.source, format_ns(entry.time_ns))
