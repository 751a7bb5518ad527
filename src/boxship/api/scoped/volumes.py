"""Volumes as a scope sees them: those that carry its labels."""

import builtins

from boxship.api.backend import Volumes
from boxship.api.scoped.denial import Denial, HiddenError
from boxship.base.errors import ConflictError, ForbiddenError, NotFoundError
from boxship.engine.access.scope import Scope
from boxship.engine.volumes.record import LOCAL
from boxship.engine.volumes.requests import CreateVolume, VolumeQuery, VolumeSurvey, VolumeView


class LimitedVolumes(Denial):
    """See ``boxship.api.backend.Volumes``; what is missing here is refused."""

    def __init__(self, scope: Scope, inner: Volumes) -> None:
        super().__init__(scope)
        self._inner = inner

    def list(self, query: VolumeQuery | None = None) -> builtins.list[VolumeView]:
        return [v for v in self._inner.list(query) if self._scope.sees(v.record.labels)]

    def inspect(self, name: str) -> VolumeView:
        """Return a volume of the scope's. NotFoundError: there is none, or it is another's."""
        view = self._inner.inspect(name)
        if not self._scope.sees(view.record.labels):
            raise HiddenError(f"get {name}: no such volume")
        return view

    async def look(self, name: str) -> VolumeView:
        """Return one with what its driver says; likewise."""
        return await self._inner.look(self.inspect(name).record.name)

    async def survey(self, query: VolumeQuery) -> VolumeSurvey:
        """Return those of the scope's with what drivers say; their troubles are nobody's here."""
        found = await self._inner.survey(query)
        return VolumeSurvey(tuple(v for v in found.views if self._scope.sees(v.record.labels)))

    async def ensure(self, name: str) -> None:
        """Have a volume of that name that is the scope's; it is made if there is none.

        ForbiddenError: it is another's. Not "not found": Docker's client takes that for the image.
        """
        try:
            self._inner.inspect(name)
        except NotFoundError:
            await self.create(CreateVolume(name))
        try:
            self.inspect(name)
        except HiddenError as error:
            raise ForbiddenError(f"the scope {self._scope.name} has no volume {name}") from error

    async def create(self, request: CreateVolume) -> VolumeView:
        """Make a directory with the scope's labels. A driver's options can mount anything."""
        self._scope.demand("volumes:create", "making a volume")
        if request.driver not in ("", LOCAL) or request.options:
            raise ForbiddenError(
                f"the scope {self._scope.name} does not allow volumes with a driver or options: "
                "it would lead beyond them"
            )
        labels = self._scope.labelled(request.labels)
        made = await self._inner.create(CreateVolume(request.name, LOCAL, labels))
        if not self._scope.sees(made.record.labels):  # there was one, and that is an answer, too
            raise ConflictError(f"the name {request.name} is taken")
        return made

    async def remove(self, name: str, *, force: bool = False) -> None:
        self.inspect(name)
        await self._inner.remove(name, force=force)
