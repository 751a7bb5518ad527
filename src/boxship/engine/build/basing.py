"""Base images: in the store, or brought there from their registry."""

import contextlib
from dataclasses import dataclass
from hashlib import sha256

from boxship.base.errors import NotFoundError
from boxship.engine.build.clientside import ClientSide
from boxship.engine.build.layouts import Layouts
from boxship.engine.build.planning.wish import BaseImage, ImageNeed
from boxship.engine.build.progress import VertexStatus
from boxship.engine.build.reporting import Reporter
from boxship.engine.build.requests import Pull
from boxship.engine.images.pulling import PullRequest
from boxship.engine.images.scope import parsed
from boxship.engine.images.service import ImageService, ResolvedImage
from boxship.model.image import LayerTransfer
from boxship.oci import platform as platforms
from boxship.oci.digest import Digest
from boxship.storage.layers import Lease


@dataclass(frozen=True, slots=True)
class Bases:
    """Finds the images that one build stands on, and keeps their layers as long as it lasts."""

    images: ImageService
    client: ClientSide
    layouts: Layouts
    lease: Lease
    report: Reporter
    pull: Pull
    classic: bool = False
    """Whether beginnings of ids will do, and an image for another platform than this machine's."""

    async def resolve(self, need: ImageNeed) -> BaseImage:
        """Return an image. NotFoundError: neither the store nor its registry has it."""
        name = self._name(need.reference) if not need.layout else need.reference
        vertex = Digest("sha256", sha256(f"metadata {name} {need.platform}".encode()).hexdigest())
        self.report.announce(vertex, f"[internal] load metadata for {name}")
        self.report.start(vertex)
        try:
            found = await self._resolved(need, vertex)
        except BaseException as error:
            self.report.finish(vertex, error=str(error) or "canceled")
            raise
        self.report.finish(vertex)
        for layer in found.layers:
            self.lease.hold(layer)
        return BaseImage(name, found.image, found.layers, str(found.id))

    def _name(self, text: str) -> str:
        return str(parsed(text).with_default_tag())

    async def _resolved(self, need: ImageNeed, vertex: Digest) -> ResolvedImage:
        if need.layout:
            async with contextlib.AsyncExitStack() as stack:
                name = f"oci-layout:{need.reference}"
                image_id = await self.layouts.load(name, stack, (need.platform,))
            return self.images.resolve(image_id)
        if self.pull is not Pull.ALWAYS:
            with contextlib.suppress(NotFoundError):
                return self._here(need)
        if self.pull is Pull.NEVER:
            raise NotFoundError(f"No such image: {need.reference}")
        with contextlib.suppress(NotFoundError):
            await self.images.ensure_builtin(need.reference)
            return self._here(need)
        await self._pull(need, vertex)
        return self._here(need)

    def _here(self, need: ImageNeed) -> ResolvedImage:
        try:
            return self.images.resolve(need.reference, need.platform, prefixes=self.classic)
        except NotFoundError:
            if not self.classic or need.platform != platforms.host():
                raise
            return self.images.resolve(need.reference)

    async def _pull(self, need: ImageNeed, vertex: Digest) -> None:
        name = parsed(need.reference).with_default_tag()
        credentials = await self.client.credentials(name.domain)
        events = self.images.pull(PullRequest(name, need.platform, credentials))
        now = self.report.clock.now_ns
        async with contextlib.aclosing(events):
            async for event in events:
                if isinstance(event, LayerTransfer):
                    self.report.event(
                        VertexStatus(
                            id=f"{event.phase.value} {event.layer}",
                            vertex=vertex,
                            name=event.phase.value,
                            current=event.current,
                            total=event.total,
                            time_ns=now(),
                        )
                    )
