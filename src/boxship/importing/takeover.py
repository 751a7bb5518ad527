"""Carry a plan out, object by object; one that fails keeps no other from coming."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import msgspec

from boxship.base.errors import BoxshipError, InvalidArgumentError, UnavailableError
from boxship.client import adoption, containers, images
from boxship.client.endpoint import UnixEndpoint
from boxship.client.engine import EngineClient
from boxship.client.errors import ConnectionBrokenError, DaemonUnreachableError
from boxship.importing import containerd, layers
from boxship.importing.inventory import FoundContainer
from boxship.importing.logs import log_files
from boxship.importing.plan import (
    NameImage,
    Plan,
    Present,
    Step,
    TakeContainer,
    TakeImage,
    TakeNetwork,
    TakeVolume,
)
from boxship.importing.root import DockerRoot
from boxship.model.adoption import CONTAINER, FILES, LOGS, Adopted
from boxship.storage.chunks import coalesced
from boxship.storage.tar.writer import END, directory_header, file_header, padding

_FATAL = (ConnectionBrokenError, DaemonUnreachableError)
"""There is no daemon any more: nothing that follows could succeed."""


Tell = Callable[[Step, int, int], None]
"""Is told how far a step is, in bytes, and of how many; 0: nobody knows."""
_TellBytes = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Done:
    """What came of a step. ``error`` says why it did not come; ``already``: it was there."""

    step: Step
    already: bool = False
    warnings: tuple[str, ...] = ()
    error: str = ""


def check_local(client: EngineClient) -> None:
    """InvalidArgumentError: the daemon is not on this machine."""
    if not isinstance(client.endpoint, UnixEndpoint):
        raise InvalidArgumentError(
            f"{client.endpoint} is not on this machine: what Docker has is taken over by a daemon "
            "beside it, by its socket"
        )


def look(client: EngineClient) -> Present:
    """Ask what the daemon has."""
    found = images.listing(client, all=True)
    ids = [str(image["Id"]) for image in found]
    diff_ids = {
        layer
        for image_id in ids
        for layer in images.inspect(client, image_id)["RootFS"].get("Layers") or ()
    }
    names = {name: str(image["Id"]) for image in found for name in image.get("RepoTags") or ()}
    rows = containers.listing(client, all=True)
    return Present(frozenset(ids), frozenset(diff_ids), names, {str(row["Id"]) for row in rows})


def carry_out(client: EngineClient, root: DockerRoot, plan: Plan, tell: Tell) -> Iterator[Done]:
    """Do what is planned, and yield what came of each step. UnavailableError: no daemon is left."""
    for step in plan.steps:
        try:
            yield _take(client, root, step, partial(tell, step))
        except _FATAL:
            raise
        except (BoxshipError, OSError) as error:
            yield Done(step, error=str(error).removeprefix("Error response from daemon: "))


def _take(client: EngineClient, root: DockerRoot, step: Step, tell: _TellBytes) -> Done:
    match step:
        case TakeImage():
            return _image(client, root, step, tell)
        case NameImage():
            return _name(client, step)
        case TakeNetwork():
            return _told(step, adoption.network(client, step.network))
        case TakeVolume():
            return _volume(client, step, tell)
        case TakeContainer():
            archive = container_archive(root, step.container)
            return _told(step, adoption.container(client, _counted(archive, tell)))


def _told(step: Step, adopted: Adopted) -> Done:
    return Done(step, adopted.already, adopted.warnings)


def _counted(archive: Iterator[bytes], tell: _TellBytes) -> Iterator[bytes]:
    sent = 0
    for chunk in coalesced(archive):
        yield bytes(chunk)
        sent += len(chunk)
        tell(sent, 0)


def _volume(client: EngineClient, step: TakeVolume, tell: _TellBytes) -> Done:
    last = ""
    for line in adoption.volume(client, step.volume):
        last = line.get("status", "")
        if detail := line.get("progressDetail"):
            tell(detail.get("current", 0), detail.get("total", 0))
    return Done(step, already=last == "Already here")


# ── images ───────────────────────────────────────────────────────────────────────────────────────


def _image(client: EngineClient, root: DockerRoot, step: TakeImage, tell: _TellBytes) -> Done:
    archive = _counted(image_archive(root, step), tell)
    with images.load(client, archive, quiet=True) as answer:
        for line in answer.documents():
            if "error" in line:
                raise UnavailableError(str(line["error"]))
    return Done(step)


def _name(client: EngineClient, step: NameImage) -> Done:
    for name in step.names:
        repository, _, tag = name.rpartition(":")
        images.tag(client, step.image.id, repository, tag)
    return Done(step)


def image_archive(root: DockerRoot, step: TakeImage) -> Iterator[bytes]:
    """Yield an archive as ``docker save`` writes it, with the layers that are not there yet.

    DamagedLayerError; OSError.
    """
    image = step.image
    if image.target:
        yield from containerd.image_entries(root, image, step.names, step.layers)
        yield END
        return
    digits = image.id.removeprefix("sha256:")
    with open(root.images(image.driver, "imagedb", "content", "sha256", digits), "rb") as file:
        config = file.read()
    yield from _file(f"{digits}.json", config)
    sent: set[str] = set()
    for chain_id, diff_id in zip(layers.chain_ids(image.layers), image.layers, strict=True):
        if diff_id not in step.layers or diff_id in sent:
            continue
        sent.add(diff_id)
        layer = layers.layer(root, image.driver, chain_id)
        size = layer.size()
        yield file_header(_layer_name(diff_id), size)
        yield from layer.tar()
        yield padding(size)
    item = {
        "Config": f"{digits}.json",
        "RepoTags": list(step.names) or None,
        "Layers": [_layer_name(diff_id) for diff_id in image.layers],
    }
    yield from _file("manifest.json", json.dumps([item]).encode())
    yield END


def _layer_name(diff_id: str) -> str:
    return f"{diff_id.removeprefix('sha256:')}.tar"


def _file(name: str, data: bytes) -> Iterator[bytes]:
    yield file_header(name, len(data))
    yield data
    yield padding(len(data))


# ── containers ───────────────────────────────────────────────────────────────────────────────────


def container_archive(root: DockerRoot, container: FoundContainer) -> Iterator[bytes]:
    """Yield a container as ``model/adoption.py`` describes it. DamagedLayerError; OSError."""
    wanted = container.wanted
    yield from _file(CONTAINER, msgspec.json.encode(wanted))
    yield directory_header(f"{LOGS}/")
    twice = zip(log_files(root, wanted.id), log_files(root, wanted.id), strict=True)
    for (number, lines), (_, again) in twice:
        yield from _log(f"{LOGS}/{number}", lines, again)
    for piece in layers.written(root, container.driver, wanted.id, FILES.encode()):
        yield bytes(piece)
    yield END


def _log(name: str, lines: Iterator[bytes], again: Iterator[bytes]) -> Iterator[bytes]:
    """Yield an entry of ``lines``, whose length has to be known before: they come twice."""
    size = sum(map(len, lines))
    yield file_header(name, size, mode=0o640)
    yield from again
    yield padding(size)
