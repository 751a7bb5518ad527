"""Images that go out to a registry."""

from collections.abc import AsyncGenerator

from boxship.api.call import Call
from boxship.api.http.messages import Answer, Stream
from boxship.api.platforms import wanted_platform
from boxship.api.registryauth import credentials
from boxship.api.streams import told
from boxship.api.views.transfers import push_lines
from boxship.base.errors import InvalidArgumentError
from boxship.engine.images.pushing import PushRequest
from boxship.oci.reference import InvalidReferenceError, Reference
from boxship.oci.reference import parse as parse_reference
from boxship.wire.jsonstream import Progress


async def push(call: Call) -> Answer:
    """Push one tag or, where none is given, all of them."""
    platform = wanted_platform(call) if call.version >= 46 else None
    reference = _reference(call.target, call.text("tag"))
    request = PushRequest(reference, platform, credentials(call.request))
    lines = told(_pushing(call, request), with_code=False)
    return Stream(lines, awaits_first=True, endless=True)


async def _pushing(call: Call, request: PushRequest) -> AsyncGenerator[Progress, None]:
    events = call.backend.images.push(request)
    try:
        async for event in events:
            for line in push_lines(event):
                yield line
    finally:
        await events.aclose()


def _reference(name: str, tag: str) -> Reference:
    try:
        reference = parse_reference(name)
        return reference.with_tag(tag) if tag else reference
    except InvalidReferenceError as error:
        raise InvalidArgumentError(str(error)) from error


ROUTES = (("POST", "/images/{name...}/push", push),)
