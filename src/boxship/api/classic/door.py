"""``POST /build``: the context in, the classic stream out.

::

    query ─► BuildRequest ──────────────┐
    body ──► a directory ───────────────┼─► Builder.build ─► events ─► lines
    X-Registry-Config ─► ClassicClient ─┘

An error before the first line is an ordinary answer with its status; later it is the stream's
last line, with the exit code of the command that failed. A client that goes away ends the build.
"""

from collections import deque
from collections.abc import AsyncGenerator, Iterator
from contextlib import AsyncExitStack
from dataclasses import replace

from boxship.api.call import Call
from boxship.api.classic.client import ClassicClient
from boxship.api.classic.progress import ClassicProgress
from boxship.api.classic.request import build_request
from boxship.api.http.messages import Answer, Stream
from boxship.base.errors import BoxshipError
from boxship.base.ids import short_id
from boxship.engine.build.failures import StepFailedError, excerpt
from boxship.engine.build.progress import Tell
from boxship.engine.build.requests import (
    ContextSource,
    DaemonDirectory,
    ImageOutput,
    RemoteSource,
)
from boxship.engine.images.bridge import telling
from boxship.wire.builds import registry_logins
from boxship.wire.jsonstream import Outcome, Progress, encode_progress, failure

_REGISTRIES = "x-registry-config"
_FILES = ("ADD", "COPY")
_MOST_LINES = 20_000
"""Of what a quiet build keeps for the case that it fails."""


def build(call: Call) -> Answer:
    """Build; the answer begins with the first line, and is given up with its client."""
    lines = _quiet(call) if call.boolean("q") else _lines(call)
    return Stream(_told(lines), awaits_first=True, endless=True)


async def _lines(call: Call) -> AsyncGenerator[Progress, None]:
    course = _Course(call)
    shown = ClassicProgress()
    events = telling(course.run)
    try:
        async for event in events:
            for line in shown.feed(event):
                yield line
    except StepFailedError as error:
        for line in _failed(error, shown):
            yield line
        return
    finally:
        await events.aclose()
    for line in (*shown.warnings(), *course.ending()):
        yield line


async def _quiet(call: Call) -> AsyncGenerator[Progress, None]:
    """Say the image's id alone, and everything if it went wrong."""
    said: deque[Progress] = deque(maxlen=_MOST_LINES)
    lines = _lines(call)
    try:
        async for line in lines:
            said.append(line)
    finally:
        await lines.aclose()
    for line in said:
        if said[-1].error:
            yield line
        elif isinstance(line.aux, Outcome):
            yield Progress(stream=f"{line.aux.id}\n")


class _Course:
    """One build under way."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self.image = ""
        self.names: list[str] = []

    async def run(self, tell: Tell) -> None:
        """Take in the context, and build."""
        call = self._call
        request = build_request(call)  # what is wrong with it is said before anything comes in
        client = ClassicClient(registry_logins(call.request.headers.get(_REGISTRIES, "")))
        async with AsyncExitStack() as stack:
            context = await _context(call, stack)
            request = replace(request, context=context)
            result = await call.backend.builds().build(request, client, tell)
        self.image = result.images[0].image_id
        for output in request.outputs:
            if isinstance(output, ImageOutput):
                self.names += [name.familiar for name in output.names]

    def ending(self) -> Iterator[Progress]:
        """Say what has been made."""
        yield Progress(aux=Outcome(id=self.image))
        yield Progress(stream=f"Successfully built {short_id(self.image)}\n")
        for name in self.names:
            yield Progress(stream=f"Successfully tagged {name}\n")


async def _context(call: Call, stack: AsyncExitStack) -> ContextSource:
    if remote := call.text("remote"):
        return RemoteSource(remote)
    unpacked = call.backend.uploads().unpacked(aiter(call.request.body))
    return DaemonDirectory(await stack.enter_async_context(unpacked))


def _failed(error: StepFailedError, shown: ClassicProgress) -> Iterator[Progress]:
    yield from shown.failed(error.vertex)
    if error.place is not None and (lines := excerpt(error.place)):
        yield Progress(stream=lines)
    yield _last_line(error, shown.instruction(error.vertex))


async def _told(lines: AsyncGenerator[Progress, None]) -> AsyncGenerator[bytes, None]:
    """Encode the lines; once the first has been said, a failure becomes the last."""
    begun = False
    try:
        async for line in lines:
            yield encode_progress(line)
            begun = True
    except BoxshipError as error:
        if not begun:
            raise
        yield encode_progress(failure(str(error)))
    finally:
        await lines.aclose()


def _last_line(error: StepFailedError, instruction: str) -> Progress:
    if not error.exit_code:
        return failure(f"{instruction} failed: {error}" if instruction in _FILES else str(error))
    command = f"The command '{error.command}' returned a non-zero code: {error.exit_code}"
    return failure(command, error.exit_code)
