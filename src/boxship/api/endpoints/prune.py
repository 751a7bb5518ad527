"""Prune: remove what nobody uses, a route for each kind of object.

A plan says what a prune would remove, and is a route of its own instead of a parameter: a daemon
that does not know it (Docker's) answers 404 where it would ignore a parameter and prune.
"""

from boxship.api.call import Call
from boxship.api.http.messages import Answer
from boxship.api.views import images as image_views
from boxship.engine.containers.requests import ContainerPrune
from boxship.engine.networks.requests import NetworkPrune
from boxship.engine.volumes.requests import PrunedVolumes, VolumePrune
from boxship.model.image import ImagePrune, Pruned
from boxship.wire import parameters, prune
from boxship.wire.parameters import Filters

_LABELS = ("label", "label!")
_CONTAINERS = frozenset({"until", *_LABELS})
_IMAGES = frozenset({"dangling", "unused-for", "until", *_LABELS})
_NETWORKS = frozenset({"until", *_LABELS})
_VOLUMES = frozenset({"all", *_LABELS})


async def containers(call: Call) -> Answer:
    pruned = await call.backend.containers.prune(_containers(call))
    return call.json(prune.ContainersPruned(pruned.ids or None, pruned.reclaimed))


async def plan_containers(call: Call) -> Answer:
    pruned = await call.backend.containers.plan_prune(_containers(call))
    return call.json(prune.ContainersPruned(pruned.ids or None, pruned.reclaimed))


def _containers(call: Call) -> ContainerPrune:
    given, until = _filters(call, _CONTAINERS)
    return ContainerPrune(until, parameters.labels(given))


async def images(call: Call) -> Answer:
    return call.json(_images_pruned(await call.backend.images.prune(_images(call))))


async def plan_images(call: Call) -> Answer:
    return call.json(_images_pruned(call.backend.images.plan_prune(_images(call))))


def _images(call: Call) -> ImagePrune:
    given, until = _filters(call, _IMAGES)
    return ImagePrune(
        all=parameters.filter_boolean(given, "dangling") is False,
        until_ns=until,
        labels=parameters.labels(given),
        unused_for_ns=parameters.span(given, "unused-for"),
    )


def _images_pruned(pruned: Pruned) -> prune.ImagesPruned:
    rows = tuple(image_views.removed_row(item) for item in pruned.removed)
    return prune.ImagesPruned(rows or None, pruned.reclaimed)


async def networks(call: Call) -> Answer:
    names = await call.backend.networks.prune(_networks(call))
    return call.json(prune.NetworksPruned(names or None))


async def plan_networks(call: Call) -> Answer:
    names = call.backend.networks.plan_prune(_networks(call))
    return call.json(prune.NetworksPruned(names or None))


def _networks(call: Call) -> NetworkPrune:
    given, until = _filters(call, _NETWORKS)
    return NetworkPrune(until, parameters.labels(given))


async def volumes(call: Call) -> Answer:
    pruned = await call.backend.volumes.prune(_volumes(call))
    return call.json(prune.VolumesPruned(pruned.names, pruned.reclaimed))


async def plan_volumes(call: Call) -> Answer:
    pruned = await call.backend.volumes.plan_prune(_volumes(call))
    return call.json(prune.VolumesPruned(pruned.names, pruned.reclaimed))


def _volumes(call: Call) -> VolumePrune:
    """Before 1.42 clients meant all of them; since then those without a name, unless told so."""
    given = call.filters()
    parameters.allow(given, _VOLUMES if call.version >= 42 else frozenset(_LABELS))
    every = call.version < 42 or parameters.filter_boolean(given, "all") is True
    return VolumePrune(all=every, labels=parameters.labels(given))


async def plan_everything(call: Call) -> Answer:
    """One kind after the other: what stopped containers hold now is free when they are gone."""
    given, until = _filters(call, _CONTAINERS)
    labels, backend = parameters.labels(given), call.backend
    gone = await backend.containers.plan_prune(ContainerPrune(until, labels))
    wanted = ImagePrune(all=call.boolean("all"), until_ns=until, labels=labels)
    found = backend.images.plan_prune(wanted, gone.ids)
    emptied = PrunedVolumes((), 0)
    if call.boolean("volumes"):
        emptied = await backend.volumes.plan_prune(VolumePrune(labels=labels), gone.ids)
    rows = tuple(image_views.removed_row(item) for item in found.removed)
    return call.json(
        prune.EverythingPruned(
            gone.ids,
            backend.networks.plan_prune(NetworkPrune(until, labels)),
            emptied.names,
            rows,
            gone.reclaimed + emptied.reclaimed + found.reclaimed,
        )
    )


def _filters(call: Call, allowed: frozenset[str]) -> tuple[Filters, int | None]:
    given = call.filters()
    parameters.allow(given, allowed)
    return given, parameters.until(given, call.backend.clock.now_ns())


ROUTES = (
    ("POST", "/containers/prune", containers),
    ("POST", "/images/prune", images),
    ("POST", "/networks/prune", networks),
    ("POST", "/volumes/prune", volumes),
    ("GET", "/containers/prune/plan", plan_containers),
    ("GET", "/images/prune/plan", plan_images),
    ("GET", "/networks/prune/plan", plan_networks),
    ("GET", "/volumes/prune/plan", plan_volumes),
    ("GET", "/system/prune/plan", plan_everything),
)
