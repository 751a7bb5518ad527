"""Images of engines, by ``save`` and ``load``: what every engine can do since there are engines."""

import os
from collections.abc import Iterator
from typing import IO

from boxship.base.errors import UnavailableError
from boxship.client import images
from boxship.client.engine import EngineClient, JsonObject
from boxship.copying import tarstream
from boxship.copying.archives import ArchiveSource
from boxship.copying.content import Buffer, MalformedPlaceError, Source, Told
from boxship.copying.places import parsed
from boxship.copying.plan import ImageManifest, Plan
from boxship.distribution.cancel import Cancel
from boxship.oci import image as oci
from boxship.oci.digest import Digest
from boxship.oci.image import Image


def engine_source(client: EngineClient, name: str, scratch: str, told: Told) -> ArchiveSource:
    """Have the image saved into ``scratch``: its archive names the layers only at its end."""
    stream: IO[bytes] = open(os.path.join(scratch, "saved.tar"), "w+b")  # noqa: SIM115
    try:
        done = 0
        with images.save(client, [name]) as answer:
            for piece in answer:
                stream.write(piece)
                done += len(piece)
                told("image", "Saving", done, 0)
        stream.flush()
        stream.seek(0)
        # The only image in it: what it was asked for by, an id perhaps, need not be its name.
        return ArchiveSource(stream, "", f"image {name}")
    except BaseException:
        stream.close()
        raise


class EngineDestination:
    """An engine that loads what comes."""

    def __init__(self, client: EngineClient, name: str) -> None:
        self._client = client
        self._name = parsed(name).with_default_tag()

    def receive(self, plan: Plan, source: Source, told: Told, cancel: Cancel) -> Digest:
        known = self._known_layers(plan, source, cancel)
        archive = tarstream.write(plan, source, told, cancel, self._name, known=known)
        with images.load(self._client, _as_bytes(archive), quiet=True) as answer:
            for message in answer.documents():
                _check(message)
        return plan.root.digest

    def _known_layers(self, plan: Plan, source: Source, cancel: Cancel) -> set[str]:
        """Layers that need not be sent: the engine has them on top of the same ones.

        An engine takes a layer without its file if it has the whole stack below it as well.
        """
        stacks = _stacks(self._client)
        known: set[str] = set()
        for image in plan.images:
            config = _config(image, source, cancel)
            stack = tuple(str(one) for one in config.diff_ids)
            if len(stack) != len(image.layers):
                continue
            for height, layer in enumerate(image.layers, 1):
                if stack[:height] in stacks:
                    known.add(layer.digest)
        return known


def _stacks(client: EngineClient) -> set[tuple[str, ...]]:
    """Every stack of layers, from the bottom up, that an image of the engine has."""
    stacks: set[tuple[str, ...]] = set()
    for summary in images.listing(client):
        found = images.inspect(client, summary["Id"])
        layers = tuple((found.get("RootFS") or {}).get("Layers") or ())
        stacks |= {layers[:height] for height in range(1, len(layers) + 1)}
    return stacks


def _config(image: ImageManifest, source: Source, cancel: Cancel) -> Image:
    data = b"".join(source.blob(image.manifest.config, cancel))
    try:
        return oci.decode(data, Image)
    except oci.MalformedImageError as error:
        raise MalformedPlaceError(f"{Digest.of(data)}: {error}") from error


def _as_bytes(pieces: Iterator[Buffer]) -> Iterator[bytes]:
    for piece in pieces:
        yield piece if isinstance(piece, bytes) else bytes(piece)


def _check(message: JsonObject) -> None:
    reason = (message.get("errorDetail") or {}).get("message") or message.get("error")
    if reason:
        raise UnavailableError(f"the engine refuses the image: {reason}")
