"""Where a build's result goes: the image store, a registry, the client."""

import base64
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

import msgspec

from boxship.base.errors import InvalidArgumentError
from boxship.engine.build.clientside import ClientSide
from boxship.engine.build.exporting import archive, filing, packing
from boxship.engine.build.exporting.bundle import Bundle, PackedImage, bundle
from boxship.engine.build.exporting.pushing import Push
from boxship.engine.build.exporting.telling import (
    Attest,
    Course,
    attest_packages,
    attest_provenance,
    filename,
    subjects,
)
from boxship.engine.build.files.roots import Workshop
from boxship.engine.build.progress import ImageWritten
from boxship.engine.build.reporting import Reporter
from boxship.engine.build.requests import (
    ArchiveOutput,
    Attestations,
    BuildRequest,
    BuildResult,
    BuiltImage,
    Compression,
    FilesOutput,
    ImageOutput,
    LayerOptions,
)
from boxship.engine.build.results import EMPTY_LAYER, Ground
from boxship.engine.build.trees import LayersTree
from boxship.engine.images.bridge import in_thread, outbound, stoppable, to_the_end
from boxship.engine.images.pushing import PushRequest
from boxship.engine.images.service import ImageService
from boxship.model.image import TransferDigest
from boxship.oci.digest import Digest
from boxship.oci.reference import Reference

ResultT = TypeVar("ResultT")

_LOADABLE = LayerOptions(compression=Compression.NONE, oci_types=True)
_NO_COURSE = Course()


@dataclass(frozen=True, slots=True)
class Outputs:
    """Writes one build's outputs, in the order in which they were asked for."""

    ground: Ground
    images: ImageService
    client: ClientSide
    report: Reporter
    workshop: Workshop
    course: Course = _NO_COURSE
    latest_ns: int | None = None
    finished_ns: int = 0

    async def write(
        self, request: BuildRequest, built: Sequence[BuiltImage], warnings: int
    ) -> BuildResult:
        """Write all of them, and say where they are.

        InvalidArgumentError: an output that cannot be; the errors of ``distribution.errors``;
        UnavailableError: the client has gone, or the disk is full.
        """
        response: dict[str, str] = {}
        images = tuple(built)
        for output in request.outputs:
            if isinstance(output, ImageOutput):
                images, told = await self._image(request, images, output)
                response |= told
            elif isinstance(output, ArchiveOutput):
                response |= await self._archive(request, images, output)
            else:
                await self._files(request, images, output)
        return BuildResult(request.reference, images, response, warnings)

    # ── images ───────────────────────────────────────────────────────────────────────────────

    async def _image(
        self, request: BuildRequest, images: tuple[BuiltImage, ...], output: ImageOutput
    ) -> tuple[tuple[BuiltImage, ...], dict[str, str]]:
        if (output.push or output.push_by_digest) and not output.names:
            raise InvalidArgumentError("tag is needed when pushing to registry")
        await in_thread(partial(self._check_insecure, output))
        # By digest alone: whoever makes an index of several machines' images names that.
        names = () if output.push_by_digest else output.names
        if len(images) > 1:
            images = await self._stored_together(images, names)
        else:
            images = (await self._stored(images[0], names),)
        response = {
            "containerimage.config.digest": images[0].image_id,
            "containerimage.digest": images[0].image_id,
        }
        if output.names:
            response["image.name"] = ",".join(str(name) for name in output.names)
        if _as_always(request, images, output):
            response |= await self._pushed_from_store(output.names)
        elif output.push or output.push_by_digest:
            with self.ground.storage.root.temporary() as directory:
                made = await self._bundle(request, images, output.names, output.layers, directory)
                await self._pushed(made, output)
            response |= _described(made)
        return images, response

    def _check_insecure(self, output: ImageOutput) -> None:
        """Refuse what only the daemon's owner may allow: to do without certificates."""
        pushes = output.insecure and (output.push or output.push_by_digest)
        for name in output.names if pushes else ():
            if not self.images.registries.is_insecure(name):
                raise InvalidArgumentError(
                    f"registry.insecure=true: {name.domain} is not among the daemon's "
                    "insecure-registries"
                )

    async def _stored(self, image: BuiltImage, names: Sequence[Reference]) -> BuiltImage:
        layers = [Digest.parse(layer) for layer in image.layers]
        image_id = await self.images.add_built(image.config, layers, names)
        self.report.event(ImageWritten(image_id, tuple(name.familiar for name in names)))
        return replace(image, image_id=str(image_id))

    async def _stored_together(
        self, images: tuple[BuiltImage, ...], names: Sequence[Reference]
    ) -> tuple[BuiltImage, ...]:
        """Store images under names that mean several platforms, as a load brings them in."""
        packed = tuple([await self._packed(image, _LOADABLE, "") for image in images])
        made = bundle(packed, names, _LOADABLE)
        files = archive.documents(made, packed, names, docker=False)
        layers = self.ground.storage.layers
        chunks = _as_bytes(outbound(archive.stream(made, files, layers)))
        async for _ in self.images.load(chunks):
            pass
        self.report.event(ImageWritten(Digest.of(images[0].config)))
        return tuple(replace(each, image_id=str(Digest.of(each.config))) for each in images)

    async def _pushed_from_store(self, names: Sequence[Reference]) -> dict[str, str]:
        """Push as ``docker push`` does: layers that came from a registry keep their form."""
        digest = ""
        for name in names:
            vertex = self._begin(f"pushing {name}")
            try:
                credentials = await self.client.credentials(name.domain)
                wanted = PushRequest(name.with_default_tag(), credentials=credentials)
                async for event in self.images.push(wanted):
                    if isinstance(event, TransferDigest):
                        digest = event.digest
            except BaseException as error:
                self.report.finish(vertex, error=str(error) or type(error).__name__)
                raise
            self.report.finish(vertex)
        return {"containerimage.digest": digest}

    async def _pushed(self, made: Bundle, output: ImageOutput) -> None:
        by_repository: dict[str, list[Reference]] = {}
        for name in output.names:
            by_repository.setdefault(name.name, []).append(name)
        vertex = self._begin(f"pushing {', '.join(map(str, output.names))}")
        try:
            for names in by_repository.values():
                await self._push_to(made, names, by_digest=output.push_by_digest)
        except BaseException as error:
            self.report.finish(vertex, error=str(error) or type(error).__name__)
            raise
        self.report.finish(vertex)

    async def _push_to(self, made: Bundle, names: Sequence[Reference], *, by_digest: bool) -> None:
        credentials = await self.client.credentials(names[0].domain)
        find = partial(self.images.registries.repository, names[0], credentials)
        repository = await in_thread(find)
        tags = () if by_digest else tuple(name.with_default_tag().tag for name in names)
        push = Push(made, repository, self.ground.storage.layers)
        await stoppable(partial(push.run, tags), push.cancel.cancel)

    # ── archives ─────────────────────────────────────────────────────────────────────────────

    async def _archive(
        self, request: BuildRequest, images: tuple[BuiltImage, ...], output: ArchiveOutput
    ) -> dict[str, str]:
        kind = "oci" if output.oci else "docker"
        options = replace(output.layers, oci_types=output.layers.oci_types or output.oci)
        layers = self.ground.storage.layers
        vertex = self._begin(f"exporting to {kind} image format")
        with self.ground.storage.root.temporary() as directory:
            # What docker load takes has no room for more than images.
            wanted = request if output.oci else _untold(request)
            made = await self._bundle(wanted, images, output.names, options, directory)
            packed = tuple([await self._packed(image, options, directory) for image in images])
            files = archive.documents(made, packed, output.names, docker=not output.oci)
            if output.tar:
                chunks = outbound(archive.stream(made, files, layers))
                await self.client.send_file(_as_bytes(chunks), output.metadata)
            else:
                place = f"{directory}/layout"
                await _in_thread(partial(archive.write, made, files, layers, place))
                await self.client.send_directory(place, output.metadata)
        self.report.finish(vertex)
        return _described(made) | {
            "containerimage.config.digest": str(Digest.of(images[0].config)),
            **({"image.name": ",".join(map(str, output.names))} if output.names else {}),
        }

    async def _bundle(
        self,
        request: BuildRequest,
        images: Sequence[BuiltImage],
        names: Sequence[Reference],
        options: LayerOptions,
        directory: str,
    ) -> Bundle:
        packed = []
        for image in images:
            told = self._telling(request, image, names)
            packed.append(replace(await self._packed(image, options, directory), told=told))
        return await _in_thread(partial(bundle, packed, names, options, listed=request.is_listed))

    async def _packed(
        self, image: BuiltImage, options: LayerOptions, directory: str
    ) -> PackedImage:
        store, layers = self.ground.storage.layers, packing.diff_ids(image.layers)
        found = await _in_thread(partial(packing.pack, store, layers, options, directory))
        return PackedImage(image.platform, image.config, tuple(found[each] for each in layers))

    def _telling(
        self, request: BuildRequest, image: BuiltImage, names: Sequence[Reference]
    ) -> tuple[Attest, ...]:
        """Return what tells about an image; the same in all outputs."""
        found: list[Attest] = []
        wanted = request.attestations
        if wanted.sbom:
            name = str(names[0]) if names else request.reference
            at = self.finished_ns if self.latest_ns is None else self.latest_ns
            found.append(attest_packages(self.workshop, _tree(image), name, at))
            for part, tree in self.course.scans.get(image.platform, ()):
                found.append(attest_packages(self.workshop, tree, name, at, part))
        if wanted.provenance:
            found.append(attest_provenance(request, self.course, self.finished_ns))
        return tuple(found)

    # ── files ────────────────────────────────────────────────────────────────────────────────

    async def _files(
        self, request: BuildRequest, images: tuple[BuiltImage, ...], output: FilesOutput
    ) -> None:
        split = request.is_listed if output.platform_split is None else output.platform_split
        if len(images) > 1 and not split:
            raise InvalidArgumentError("several platforms need a directory for each of them")
        vertex = self._begin("exporting to client " + ("tarball" if output.tar else "directory"))
        parts = []
        for image in images:
            told = self._telling(_outside_of_images(request), image, ())
            more = await _in_thread(partial(_statements, image, told))
            prefix = str(image.platform).replace("/", "_") if split else ""
            layers = _tree(image).layers
            parts.append(filing.Files(self.ground.storage, layers, prefix, more))
        if output.tar:
            chunks = outbound(filing.tar(parts, self.latest_ns))
            await self.client.send_file(_as_bytes(chunks), output.metadata)
        else:
            await self._directory(parts, output.metadata)
        self.report.finish(vertex)

    async def _directory(self, parts: Sequence[filing.Files], metadata: Mapping[str, str]) -> None:
        def write(place: str) -> None:
            for part in parts:
                part.write(place)

        with self.ground.storage.root.temporary() as directory:
            place = f"{directory}/files"
            await _in_thread(partial(write, place))
            await self.client.send_directory(place, metadata)

    def _begin(self, name: str) -> Digest:
        vertex = Digest.of(f"{name} {self.ground.clock.now_ns()}".encode())
        self.report.announce(vertex, name)
        self.report.start(vertex)
        return vertex


def _outside_of_images(request: BuildRequest) -> BuildRequest:
    """Return the request without what is to be told within images alone (``inline-only``)."""
    wanted = request.attestations
    if wanted.provenance_attributes.get("inline-only") != "true":
        return request
    return replace(request, attestations=replace(wanted, provenance=""))


def _as_always(request: BuildRequest, images: Sequence[BuiltImage], output: ImageOutput) -> bool:
    """Tell whether an image goes out as any other in the store would."""
    wanted = request.attestations
    plain = not (wanted.sbom or wanted.provenance) and output.layers == LayerOptions()
    return output.push and not output.push_by_digest and plain and not request.is_listed


def _untold(request: BuildRequest) -> BuildRequest:
    return replace(request, attestations=Attestations())


def _tree(image: BuiltImage) -> LayersTree:
    layers = dict.fromkeys(packing.diff_ids(image.layers))
    return LayersTree(tuple(layer for layer in layers if layer != EMPTY_LAYER))


def _statements(image: BuiltImage, told: Sequence[Attest]) -> dict[str, bytes]:
    """Return what is told about the files of an image, by the names of its files."""
    about = subjects((), str(Digest.of(image.config)), image.platform)
    found = [attest(about) for attest in told]
    return {filename(each): each.data for each in found}


async def _in_thread(work: Callable[[], ResultT]) -> ResultT:
    """Do it in a thread, which nobody can stop: what it works on stays until its end."""

    async def waited() -> ResultT:
        return await in_thread(work)

    return await to_the_end(waited())


async def _as_bytes(chunks: AsyncIterator[bytes | bytearray | memoryview]) -> AsyncIterator[bytes]:
    async for chunk in chunks:
        yield bytes(chunk)


def _described(made: Bundle) -> dict[str, str]:
    """Say what the result is in BuildKit's words."""
    top = made.top
    plain = {"mediaType": top.media_type, "digest": str(top.digest), "size": len(top.data)}
    return {
        "containerimage.digest": str(top.digest),
        "containerimage.descriptor": base64.b64encode(msgspec.json.encode(plain)).decode(),
    }
