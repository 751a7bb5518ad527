"""Images: list, look, name, remove; load, save, import."""

from collections.abc import AsyncGenerator, AsyncIterator

from boxship.api.call import CREATED, Call
from boxship.api.errors import status_of
from boxship.api.http.messages import Answer, Stream
from boxship.api.views import images as views
from boxship.base.errors import BoxshipError, InvalidArgumentError, NotImplementedYetError
from boxship.base.ids import short_id
from boxship.base.units import format_decimal_size
from boxship.engine.images.intake import ImportOptions
from boxship.model.image import ImageFilters, ImageQuery, LoadedImage, LoadEvent
from boxship.oci.platform import Platform, PlatformError
from boxship.oci.platform import parse as parse_platform
from boxship.oci.reference import parse as parse_reference
from boxship.wire import parameters
from boxship.wire.jsonstream import (
    Progress,
    ProgressDetail,
    encode_progress,
    failure,
    progress_bar,
)

_LIST_FILTERS = frozenset({"dangling", "label", "label!", "before", "since", "reference", "until"})
_TAR = "application/x-tar"


async def list_images(call: Call) -> Answer:
    query = ImageQuery(
        filters=_filters(call),
        all=call.boolean("all"),
        shared_size=call.boolean("shared-size"),
        count_containers=call.version >= 51,
    )
    return call.json_list([views.image_row(image) for image in call.backend.images.list(query)])


def _filters(call: Call) -> ImageFilters:
    given = call.filters()
    parameters.allow(given, _LIST_FILTERS)
    references = tuple(given.get("reference", ()))
    if call.version < 41 and call.text("filter"):
        references += (call.text("filter"),)
    return ImageFilters(
        references=references,
        labels=given.get("label", ()),
        without_labels=given.get("label!", ()),
        dangling=parameters.filter_boolean(given, "dangling"),
        before=given.get("before", ()),
        since=given.get("since", ()),
        until_ns=parameters.until(given, call.backend.clock.now_ns()),
    )


async def inspect(call: Call) -> Answer:
    return call.json(views.image_inspect(call.backend.images.inspect(call.target)))


async def history(call: Call) -> Answer:
    steps = call.backend.images.history(call.target)
    return call.json_list([views.history_row(step) for step in steps])


async def tag(call: Call) -> Answer:
    await call.backend.images.tag(call.target, call.text("repo"), call.text("tag"))
    return CREATED


async def remove(call: Call) -> Answer:
    removed = await call.backend.images.remove(
        call.target, force=call.boolean("force"), prune_parents=not call.boolean("noprune")
    )
    return call.json_list([views.removed_row(item) for item in removed])


async def save_one(call: Call) -> Answer:
    return Stream(call.backend.images.save([call.target]), _TAR, awaits_first=True)


async def save_many(call: Call) -> Answer:
    names = [name for text in call.request.query.get("names", ()) for name in text.split(",")]
    if not any(names):
        raise InvalidArgumentError("no images named: give names=…")
    return Stream(call.backend.images.save(names), _TAR, awaits_first=True)


async def load(call: Call) -> Answer:
    events = call.backend.images.load(aiter(call.request.body))
    quiet = call.boolean("quiet", default=False)
    return Stream(told(_loading(events, quiet=quiet)), awaits_first=True)


async def _loading(
    events: AsyncIterator[LoadEvent], *, quiet: bool
) -> AsyncGenerator[Progress, None]:
    async for event in events:
        if isinstance(event, LoadedImage):
            what = f": {event.reference}" if event.reference else f" ID: {event.id}"
            yield Progress(stream=f"Loaded image{what}\n")
        elif not quiet:
            yield _layer_progress(event.layer, event.current, event.total)


def _layer_progress(layer: str, current: int, total: int) -> Progress:
    of = f"/{format_decimal_size(total)}" if total else ""
    return Progress(
        status="Loading layer",
        progress_detail=ProgressDetail(current, total),
        progress=progress_bar(current, total, format_decimal_size(current) + of),
        id=short_id(layer),
    )


async def create(call: Call) -> Answer:
    """Import an archive (``fromSrc``) or pull an image (``fromImage``)."""
    source = call.text("fromSrc")
    if not source:
        return Stream(told(_pulling(call)), awaits_first=True)
    if source != "-":
        raise NotImplementedYetError("import from a URL is not implemented yet: send the archive")
    return Stream(told(_importing(call)), awaits_first=True)


async def _pulling(call: Call) -> AsyncGenerator[Progress, None]:
    name, tag_text = call.text("fromImage"), call.text("tag")
    if not name:
        raise InvalidArgumentError("fromImage or fromSrc is required")
    separator = "@" if ":" in tag_text else ":"
    reference = f"{name}{separator}{tag_text}" if tag_text else name
    digest = await call.backend.images.ensure_builtin(reference)
    familiar = parse_reference(reference).with_default_tag()
    yield Progress(status="Made by Boxship itself: no registry was asked", id=familiar.tag)
    yield Progress(status=f"Digest: {digest}")
    yield Progress(status=f"Status: Image is up to date for {familiar.familiar}")


async def _importing(call: Call) -> AsyncGenerator[Progress, None]:
    repository, tag_text = call.text("repo"), call.text("tag")
    options = ImportOptions(
        reference=f"{repository}:{tag_text}" if tag_text else repository,
        changes=call.request.query.get("changes", ()),
        message=call.text("message"),
        platform=_platform(call.text("platform")),
    )
    digest = await call.backend.images.import_(aiter(call.request.body), options)
    yield Progress(status=str(digest))


def _platform(text: str) -> Platform | None:
    if not text:
        return None
    try:
        return parse_platform(text)
    except PlatformError as error:
        raise InvalidArgumentError(str(error)) from error


async def told(messages: AsyncGenerator[Progress, None]) -> AsyncGenerator[bytes, None]:
    """Encode a stream's messages; once it has begun, a failure becomes its last one."""
    begun = False
    try:
        async for message in messages:
            yield encode_progress(message)
            begun = True
    except BoxshipError as error:
        if not begun:
            raise
        yield encode_progress(failure(str(error), status_of(error)))
    finally:
        await messages.aclose()


ROUTES = (
    ("GET", "/images/json", list_images),
    ("GET", "/images/get", save_many),
    ("POST", "/images/load", load),
    ("POST", "/images/create", create),
    ("GET", "/images/{name...}/json", inspect),
    ("GET", "/images/{name...}/history", history),
    ("GET", "/images/{name...}/get", save_one),
    ("POST", "/images/{name...}/tag", tag),
    ("DELETE", "/images/{name...}", remove),
)
