"""Where a build's result goes: the image store, a registry, the client."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from boxship.base.errors import NotImplementedYetError
from boxship.engine.build.clientside import ClientSide
from boxship.engine.build.progress import ImageWritten
from boxship.engine.build.reporting import Reporter
from boxship.engine.build.requests import (
    BuildRequest,
    BuildResult,
    BuiltImage,
    ImageOutput,
)
from boxship.engine.build.results import Ground
from boxship.engine.images.service import ImageService
from boxship.oci.digest import Digest


@dataclass(frozen=True, slots=True)
class Outputs:
    """Writes one build's outputs, in the order in which they were asked for."""

    ground: Ground
    images: ImageService
    client: ClientSide
    report: Reporter

    async def write(
        self, request: BuildRequest, built: Sequence[BuiltImage], warnings: int
    ) -> BuildResult:
        """Write all of them, and say where they are."""
        response: dict[str, str] = {}
        images = tuple(built)
        for output in request.outputs:
            if not isinstance(output, ImageOutput):
                raise NotImplementedYetError(f"{type(output).__name__} is not there yet")
            images = tuple([await self._stored(image, output) for image in images])
            response |= {
                "containerimage.config.digest": images[0].image_id,
                "containerimage.digest": images[0].image_id,
            }
            if output.names:
                response["image.name"] = ",".join(str(name) for name in output.names)
        return BuildResult(request.reference, images, response, warnings)

    async def _stored(self, image: BuiltImage, output: ImageOutput) -> BuiltImage:
        layers = [Digest.parse(layer) for layer in image.layers]
        image_id = await self.images.add_built(image.config, layers, output.names)
        names = tuple(name.familiar for name in output.names)
        self.report.event(ImageWritten(image_id, names))
        return replace(image, image_id=str(image_id))
