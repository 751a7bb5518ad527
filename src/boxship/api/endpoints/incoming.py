"""Images that come in: pulled from a registry, imported from an archive."""

from collections.abc import AsyncGenerator

from boxship.api.call import Call
from boxship.api.http.messages import Answer, Stream
from boxship.api.registryauth import credentials
from boxship.api.streams import told
from boxship.api.views.transfers import fetch_line, pull_line
from boxship.base.errors import InvalidArgumentError
from boxship.engine.images.intake import ImportOptions
from boxship.engine.images.pulling import PullRequest
from boxship.oci.platform import Platform, PlatformError
from boxship.oci.platform import parse as parse_platform
from boxship.oci.reference import InvalidReferenceError, Reference
from boxship.oci.reference import parse as parse_reference
from boxship.wire.jsonstream import Progress

_BUILT_IN = parse_reference("hello-world:latest")
"""Begins to run without any registry; its other tags and digests are a registry's."""


async def create(call: Call) -> Answer:
    """Import an archive (``fromSrc``) or pull an image (``fromImage``)."""
    source = call.text("fromSrc")
    if not source:
        return Stream(told(_pulling(call), with_code=False), awaits_first=True, endless=True)
    lines = _importing(call) if source == "-" else _fetching(call, source)
    return Stream(told(lines), awaits_first=True)


async def _pulling(call: Call) -> AsyncGenerator[Progress, None]:
    name, tag_text = call.text("fromImage"), call.text("tag")
    if not name:
        raise InvalidArgumentError("fromImage or fromSrc is required")
    reference = _reference(name, tag_text)
    if reference == _BUILT_IN:
        async for line in _made_here(call):
            yield line
        return
    request = PullRequest(reference, _platform(call), credentials(call.request))
    events = call.backend.images.pull(request)
    try:
        async for event in events:
            yield pull_line(event)
    finally:
        await events.aclose()


async def _made_here(call: Call) -> AsyncGenerator[Progress, None]:
    digest = await call.backend.images.ensure_builtin(_BUILT_IN.familiar)
    yield Progress(status="Made by Boxship itself: no registry was asked", id=_BUILT_IN.tag)
    yield Progress(status=f"Digest: {digest}")
    yield Progress(status=f"Status: Image is up to date for {_BUILT_IN.familiar}")


def _reference(name: str, tag: str) -> Reference:
    try:
        if ":" in tag:
            return parse_reference(f"{name}@{tag}")
        reference = parse_reference(name)
        return reference.with_tag(tag) if tag else reference
    except InvalidReferenceError as error:
        raise InvalidArgumentError(str(error)) from error


async def _importing(call: Call) -> AsyncGenerator[Progress, None]:
    digest = await call.backend.images.import_(aiter(call.request.body), _import_options(call))
    yield Progress(status=str(digest))


async def _fetching(call: Call, url: str) -> AsyncGenerator[Progress, None]:
    events = call.backend.images.import_from(url, _import_options(call))
    try:
        async for event in events:
            yield fetch_line(event)
    finally:
        await events.aclose()


def _import_options(call: Call) -> ImportOptions:
    repository, tag = call.text("repo"), call.text("tag")
    return ImportOptions(
        reference=f"{repository}:{tag}" if tag else repository,
        changes=call.request.query.get("changes", ()),
        message=call.text("message"),
        platform=_platform(call),
    )


def _platform(call: Call) -> Platform | None:
    text = call.text("platform")
    if not text or call.version < 32:
        return None
    try:
        return parse_platform(text)
    except PlatformError as error:
        raise InvalidArgumentError(str(error)) from error


ROUTES = (("POST", "/images/create", create),)
