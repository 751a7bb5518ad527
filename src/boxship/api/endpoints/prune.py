"""Prune: remove what nobody uses, a route for each kind of object.

Of build caches there are none yet. Their route says so truthfully instead of failing, because
``docker system prune`` asks for one kind after the other.
"""

from boxship.api.call import Call
from boxship.api.http.messages import Answer
from boxship.api.views import images as image_views
from boxship.engine.containers.requests import ContainerPrune
from boxship.engine.networks.requests import NetworkPrune
from boxship.engine.volumes.requests import VolumePrune
from boxship.model.image import ImagePrune
from boxship.wire import parameters, prune
from boxship.wire.parameters import Filters

_LABELS = ("label", "label!")
_CONTAINERS = frozenset({"until", *_LABELS})
_IMAGES = frozenset({"dangling", "unused-for", "until", *_LABELS})
_NETWORKS = frozenset({"until", *_LABELS})
_VOLUMES = frozenset({"all", *_LABELS})


async def containers(call: Call) -> Answer:
    given, until = _filters(call, _CONTAINERS)
    wanted = ContainerPrune(until, parameters.labels(given))
    pruned = await call.backend.containers.prune(wanted)
    return call.json(prune.ContainersPruned(pruned.ids or None, pruned.reclaimed))


async def images(call: Call) -> Answer:
    given, until = _filters(call, _IMAGES)
    wanted = ImagePrune(
        all=parameters.filter_boolean(given, "dangling") is False,
        until_ns=until,
        labels=parameters.labels(given),
        unused_for_ns=parameters.span(given, "unused-for"),
    )
    pruned = await call.backend.images.prune(wanted)
    rows = tuple(image_views.removed_row(item) for item in pruned.removed)
    return call.json(prune.ImagesPruned(rows or None, pruned.reclaimed))


async def networks(call: Call) -> Answer:
    given, until = _filters(call, _NETWORKS)
    names = await call.backend.networks.prune(NetworkPrune(until, parameters.labels(given)))
    return call.json(prune.NetworksPruned(names or None))


async def volumes(call: Call) -> Answer:
    """Before 1.42 clients meant all of them; since then those without a name, unless told so."""
    given = call.filters()
    parameters.allow(given, _VOLUMES if call.version >= 42 else frozenset(_LABELS))
    every = call.version < 42 or parameters.filter_boolean(given, "all") is True
    wanted = VolumePrune(all=every, labels=parameters.labels(given))
    pruned = await call.backend.volumes.prune(wanted)
    return call.json(prune.VolumesPruned(pruned.names, pruned.reclaimed))


async def build_cache(call: Call) -> Answer:
    return call.json(prune.CachesPruned())


def _filters(call: Call, allowed: frozenset[str]) -> tuple[Filters, int | None]:
    given = call.filters()
    parameters.allow(given, allowed)
    return given, parameters.until(given, call.backend.clock.now_ns())


ROUTES = (
    ("POST", "/containers/prune", containers),
    ("POST", "/images/prune", images),
    ("POST", "/networks/prune", networks),
    ("POST", "/volumes/prune", volumes),
    ("POST", "/build/prune", build_cache),
)
