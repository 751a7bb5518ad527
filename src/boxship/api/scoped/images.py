"""Images as a scope sees them: those that carry its labels; pulling, and nothing else that names.

Names are everybody's. Who could tag, load, import, commit or build would put what they like under a
name that others run; a pull brings under a name what its registry has there, and nothing else.
"""

import builtins
from collections.abc import AsyncGenerator, Collection

from msgspec import structs

from boxship.api.backend import Images
from boxship.api.scoped.denial import Denial, HiddenError
from boxship.base.errors import ForbiddenError, NotFoundError
from boxship.engine.access.scope import Scope
from boxship.engine.images.pulling import PullRequest
from boxship.engine.images.service import ResolvedImage
from boxship.model.image import (
    HistoryStep,
    ImageDetail,
    ImageQuery,
    ImageSummary,
    RemovedImage,
    TransferEvent,
)
from boxship.oci.digest import Digest
from boxship.oci.platform import Platform


class LimitedImages(Denial):
    """See ``boxship.api.backend.Images``; what is missing here is refused."""

    def __init__(self, scope: Scope, inner: Images) -> None:
        super().__init__(scope)
        self._inner = inner

    def list(self, query: ImageQuery) -> builtins.list[ImageSummary]:
        """Return those of the scope's alone."""
        filters = query.filters
        for reference in (*filters.before, *filters.since):
            self._check(reference)
        words = (*filters.labels, *self._scope.label_words)
        limited = structs.replace(query, filters=structs.replace(filters, labels=words))
        return [image for image in self._inner.list(limited) if self._scope.sees(image.labels)]

    def count(self) -> int:
        return len(self.list(ImageQuery()))

    def resolve(self, reference: str, platform: Platform | None = None) -> ResolvedImage:
        """Say which image a name means; lists of containers ask it, of their containers' names."""
        return self._inner.resolve(reference, platform)

    def inspect(
        self, reference: str, platform: Platform | None = None, *, manifests: bool = False
    ) -> ImageDetail:
        detail = self._inner.inspect(reference, platform, manifests=manifests)
        if not self._scope.sees(detail.config.labels):
            raise HiddenError(f"No such image: {reference}")
        return detail

    def history(
        self, reference: str, platform: Platform | None = None
    ) -> builtins.list[HistoryStep]:
        self._check(reference)
        return self._inner.history(reference, platform)

    def check_use(self, reference: str) -> None:
        """Raise ForbiddenError unless containers may be made of an image.

        Of one that isn't there nothing is said: making the container says it.
        """
        if self._scope.allows("images:use"):
            return
        try:
            found = self._inner.inspect(reference)
        except NotFoundError:
            return
        if not self._scope.sees(found.config.labels):
            words = ", ".join(self._scope.label_words)
            raise ForbiddenError(
                f"the scope {self._scope.name} does not allow containers of {reference}: the image "
                f"lacks {words}, and the scope lacks images:use"
            )

    def pull(self, request: PullRequest) -> AsyncGenerator[TransferEvent, None]:
        self._scope.demand("images:pull")
        return self._inner.pull(request)

    async def ensure_builtin(self, reference: str) -> Digest:
        self._scope.demand("images:pull")
        return await self._inner.ensure_builtin(reference)

    async def remove(
        self,
        reference: str,
        *,
        force: bool = False,
        prune_parents: bool = True,
        platforms: Collection[Platform] = (),
    ) -> builtins.list[RemovedImage]:
        """Remove an image of the scope's; not by force, from under others' containers."""
        self._check(reference)
        if force:
            raise ForbiddenError(f"the scope {self._scope.name} does not allow removal by force")
        return await self._inner.remove(reference, prune_parents=prune_parents, platforms=platforms)

    def _check(self, reference: str) -> None:
        self.inspect(reference)
