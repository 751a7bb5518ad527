"""Images: list, look, name, remove; load, save."""

from collections.abc import AsyncGenerator, AsyncIterator

from boxship.api.call import CREATED, Call
from boxship.api.http.messages import Answer, Stream
from boxship.api.platforms import wanted_platform, wanted_platforms
from boxship.api.streams import told
from boxship.api.views import images as views
from boxship.api.views.transfers import sized_bar
from boxship.base.errors import InvalidArgumentError
from boxship.base.ids import short_id
from boxship.model.image import ImageFilters, ImageQuery, LoadedImage, LoadEvent
from boxship.oci.platform import Platform
from boxship.wire import parameters
from boxship.wire.jsonstream import Progress, ProgressDetail

_LIST_FILTERS = frozenset({"dangling", "label", "label!", "before", "since", "reference", "until"})
_TAR = "application/x-tar"


def list_images(call: Call) -> Answer:
    manifests = call.version >= 47 and call.boolean("manifests")
    if call.version >= 54 and call.boolean("identity") and not manifests:
        raise InvalidArgumentError("conflicting options: identity requires manifests=1")
    query = ImageQuery(
        filters=_filters(call),
        all=call.boolean("all"),
        shared_size=call.version >= 42 and call.boolean("shared-size"),
        count_containers=call.version >= 51,
        manifests=manifests,
    )
    found = call.backend.images.list(query)
    return call.json_list([views.image_row(image, manifests=query.manifests) for image in found])


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


def inspect(call: Call) -> Answer:
    platform = wanted_platform(call) if call.version >= 49 else None
    manifests = call.version >= 48 and call.boolean("manifests")
    if manifests and platform is not None:
        raise InvalidArgumentError(
            "conflicting options: manifests and platform options cannot both be set"
        )
    found = call.backend.images.inspect(call.target, platform, manifests=manifests)
    return call.json(views.image_inspect(found, manifests=manifests, stored=call.version < 50))


def history(call: Call) -> Answer:
    platform = wanted_platform(call) if call.version >= 48 else None
    steps = call.backend.images.history(call.target, platform)
    return call.json_list([views.history_row(step) for step in steps])


async def tag(call: Call) -> Answer:
    await call.backend.images.tag(call.target, call.text("repo"), call.text("tag"))
    return CREATED


async def remove(call: Call) -> Answer:
    removed = await call.backend.images.remove(
        call.target,
        force=call.boolean("force"),
        prune_parents=not call.boolean("noprune"),
        platforms=wanted_platforms(call, "platforms") if call.version >= 50 else (),
    )
    return call.json_list([views.removed_row(item) for item in removed])


async def save_one(call: Call) -> Answer:
    return _saved(call, [call.target])


async def save_many(call: Call) -> Answer:
    names = [name for text in call.request.query.get("names", ()) for name in text.split(",")]
    if not any(names):
        raise InvalidArgumentError("no images named: give names=…")
    return _saved(call, names)


def _saved(call: Call, names: list[str]) -> Answer:
    platforms = _platforms(call)
    return Stream(call.backend.images.save(names, platforms), _TAR, awaits_first=True)


def _platforms(call: Call) -> tuple[Platform, ...]:
    """Return what to save or load of an image of several platforms: before 1.52 one of them."""
    platforms = wanted_platforms(call) if call.version >= 48 else ()
    if len(platforms) > 1 and call.version < 52:
        raise InvalidArgumentError(
            "multiple platform parameters are not supported in this API version; use API version "
            "1.52 or later"
        )
    return platforms


async def load(call: Call) -> Answer:
    platforms = _platforms(call)
    events = call.backend.images.load(aiter(call.request.body), platforms)
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
    return Progress(
        status="Loading layer",
        progress_detail=ProgressDetail(current, total),
        progress=sized_bar(current, total),
        id=short_id(layer),
    )


ROUTES = (
    ("GET", "/images/json", list_images),
    ("GET", "/images/get", save_many),
    ("POST", "/images/load", load),
    ("GET", "/images/{name...}/json", inspect),
    ("GET", "/images/{name...}/history", history),
    ("GET", "/images/{name...}/get", save_one),
    ("POST", "/images/{name...}/tag", tag),
    ("DELETE", "/images/{name...}", remove),
)
