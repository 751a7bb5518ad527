"""Pull: from a name in a registry to an image in the store.

::

    name ─► documents ─► pull remembered ─► layers, several at once ─► all on the disk ─► record
            (fetching)   (pulls)            (downloads)                                  and names

Until the record is written nothing of the pull can be seen, and if it fails nothing is left: the
lease ends and what nobody needs is swept. There is one exception. A registry that has gone away may
come back, so then, as after ``kill -9`` of the daemon, the layers that are complete wait for the
next pull of that name.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from boxship.base.errors import BoxshipError, NotFoundError
from boxship.distribution.cancel import Cancel
from boxship.distribution.credentials import Credentials
from boxship.distribution.errors import (
    BadRegistryAnswerError,
    RateLimitedError,
    RegistryDeniedError,
    RegistryNotFoundError,
    RegistryUnauthorizedError,
    RegistryUnavailableError,
)
from boxship.distribution.repository import Repository
from boxship.engine.images import intake
from boxship.engine.images.bridge import all_or_none, in_thread, stoppable, telling, to_the_end
from boxship.engine.images.catalog import KnownImage
from boxship.engine.images.downloads import Downloads
from boxship.engine.images.fetching import (
    LARGEST_DOCUMENT,
    DocumentFetcher,
    RemoteImage,
    RemoteLayer,
)
from boxship.engine.images.layersources import LayerSource
from boxship.engine.images.pulls import LONGEST_NS, UnfinishedPull
from boxship.engine.images.scope import ImageScope
from boxship.engine.images.variants import Variant
from boxship.model.image import (
    LayerTransfer,
    Pulled,
    TransferBegun,
    TransferDigest,
    TransferEvent,
    TransferPhase,
)
from boxship.oci import platform as platforms
from boxship.oci.digest import Digest
from boxship.oci.platform import Platform
from boxship.oci.reference import InvalidReferenceError, Reference
from boxship.storage.layers import Layer, Lease

_NAME_UNKNOWN = "NAME_UNKNOWN"

Tell = Callable[[TransferEvent], None]


@dataclass(frozen=True, slots=True)
class PullRequest:
    """What to pull; a reference with neither tag nor digest stands for all tags."""

    reference: Reference
    platform: Platform | None = None
    """This machine's if None."""
    credentials: Credentials | None = None
    named: bool = True
    """Whether the image gets the name here."""


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What one name turned out to be; ``newer`` if it meant something else before."""

    id: Digest
    platform: Platform
    newer: bool


class Puller:
    """Pulls for one engine. Belongs to the event loop."""

    def __init__(self, scope: ImageScope, at_most: int) -> None:
        """``at_most`` layers are downloaded at once, over all pulls."""
        self._scope = scope
        self._downloads = Downloads(scope, at_most)

    def set_limit(self, at_most: int) -> None:
        """Change how many layers are downloaded at once, for downloads that begin from now on."""
        self._downloads.set_limit(at_most)

    async def pull(self, request: PullRequest) -> AsyncGenerator[TransferEvent, None]:
        """Pull, and tell how it goes. Closing the generator cancels what nobody else waits for.

        Raises the errors of ``distribution.errors``, NotFoundError when no platform fits,
        MalformedLayerError, or UnavailableError (disk full).
        """
        events = telling(partial(self._pull, request))
        async with contextlib.aclosing(events):
            async for event in events:
                yield event

    async def _pull(self, request: PullRequest, tell: Tell) -> None:
        find = partial(self._scope.registries.repository, request.reference, request.credentials)
        repository = await in_thread(find)
        reference = request.reference
        if reference.tag or reference.digest:
            outcomes = [await self._pull_one(request, repository, tell)]
        else:
            outcomes = await self._pull_all(request, repository, tell)
        last, newer = outcomes[-1], any(outcome.newer for outcome in outcomes)
        tell(Pulled(reference.familiar, str(last.id), newer))
        wanted = request.platform
        if wanted is not None and not platforms.by_preference(wanted, [last.platform]):
            raise NotFoundError(
                f"image with reference {reference.familiar} was found but does not match the "
                f"specified platform: wanted {wanted}, actual: {last.platform}"
            )

    async def _pull_all(
        self, request: PullRequest, repository: Repository, tell: Tell
    ) -> list[_Outcome]:
        reference, cancel = request.reference, Cancel()
        with _as_docker_says(reference):
            tags = await stoppable(lambda: list(repository.tags(cancel)), cancel.cancel)
        if not tags:
            raise NotFoundError(f"No tags available for {reference.familiar_name}")
        return [
            await self._pull_one(
                PullRequest(name, request.platform, request.credentials), repository, tell
            )
            for name in _tagged(reference, tags)
        ]

    async def _pull_one(self, request: PullRequest, repository: Repository, tell: Tell) -> _Outcome:
        name, cancel = request.reference, Cancel()
        fetcher = DocumentFetcher(repository, self._stored, cancel)
        with _as_docker_says(name):
            top = await stoppable(partial(fetcher.top, name), cancel.cancel)
            tell(TransferBegun(name.path, name.familiar if name.digest else name.tag))
            remote = await stoppable(partial(fetcher.image, top, request.platform), cancel.cancel)
            known, newer = await self._take_in(request, remote, repository, tell)
        self._scope.announce("pull", known, name=name.familiar_name, actor=name.familiar)
        tell(TransferDigest(str(remote.top)))
        return _Outcome(known.id, remote.platform, newer)

    async def _take_in(
        self, request: PullRequest, remote: RemoteImage, repository: Repository, tell: Tell
    ) -> tuple[KnownImage, bool]:
        name = request.reference
        named = self._scope.catalog.named(name)
        before = {named.id} if named else set()
        before |= {variant.image_id for variant in self._scope.catalog.variants_of(name)}
        async with (
            intake.taking_in(self._scope) as lease,
            self._remembered(name, remote, lease),
        ):
            layers = await self._layers(remote, repository, tell)
            known = await to_the_end(self._store(request, remote, layers))
        await self._scope.sources.add(_sources(name, remote.layers))
        return known, known.id not in before

    @contextlib.asynccontextmanager
    async def _remembered(
        self, name: Reference, remote: RemoteImage, lease: Lease
    ) -> AsyncGenerator[None, None]:
        """Keep a row in ``pulls`` while the body runs, and longer if the registry went away."""
        now, pulls = self._scope.clock.now_ns(), self._scope.pulls
        key = str(name), str(remote.platform)
        for diff_id in remote.diff_ids:
            lease.hold(diff_id)
        if all(self._scope.storage.layers.find(diff_id) for diff_id in remote.diff_ids):
            yield
            await pulls.end(*key)  # an earlier one, whose last layer another image has brought
            return
        superfluous = pulls.drop(older_than_ns=now - LONGEST_NS)
        superfluous |= await pulls.begin(UnfinishedPull(*key, remote.diff_ids, now))
        self._scope.sweep(superfluous)
        try:
            yield
        except (RegistryUnavailableError, RateLimitedError):
            raise
        except BaseException:
            await asyncio.shield(pulls.end(*key))
            raise
        else:
            await pulls.end(*key)

    async def _layers(
        self, remote: RemoteImage, repository: Repository, tell: Tell
    ) -> tuple[Layer, ...]:
        """Bring all layers in; the first failure ends the rest."""
        layers = self._scope.storage.layers
        found = {diff_id: layers.find(diff_id) for diff_id in remote.diff_ids}
        known = self._scope.catalog.find(remote.id)
        tasks: dict[Digest, asyncio.Task[Layer]] = {}
        for layer in remote.layers:
            present = found[layer.diff_id]
            if present is None:
                tell(LayerTransfer(str(layer.digest), TransferPhase.WAITING_TO_PULL))
            elif known is None:
                tell(LayerTransfer(str(layer.digest), TransferPhase.PRESENT))
        for layer in remote.layers:
            if found[layer.diff_id] is None and layer.diff_id not in tasks:
                fetch = self._downloads.fetch(layer, repository, tell)
                tasks[layer.diff_id] = asyncio.create_task(fetch)
        await all_or_none(tasks.values())
        fetched = {diff_id: task.result() for diff_id, task in tasks.items()}
        return tuple(found[diff_id] or fetched[diff_id] for diff_id in remote.diff_ids)

    async def _store(
        self, request: PullRequest, remote: RemoteImage, layers: Sequence[Layer]
    ) -> KnownImage:
        name = request.reference
        if self._scope.catalog.find(remote.id) is None:
            await in_thread(self._scope.storage.writeback.finish)
        variant = Variant(
            platform=remote.platform,
            image_id=remote.id,
            manifest=remote.manifest,
            index=remote.index,
            at_ns=self._scope.clock.now_ns(),
        )
        by_digest = name.with_digest(remote.top)
        names: tuple[Reference, ...] = (by_digest,) if name.digest else (name, by_digest)
        names = names if request.named else ()
        return await intake.add(
            self._scope,
            remote.config,
            layers,
            names,
            origin="pull",
            documents=remote.documents if names else (),
            kept=(variant,) if names else (),
        )

    def _stored(self, digest: Digest) -> bytes | None:
        blobs = self._scope.storage.blobs
        try:
            # Layers may be kept as blobs, too: a manifest that names one isn't to have it read.
            return blobs.read(digest) if blobs.size(digest) <= LARGEST_DOCUMENT else None
        except NotFoundError:
            return None


@contextlib.contextmanager
def _as_docker_says(name: Reference) -> Iterator[None]:
    """Name what was asked for in an error, in the words that clients know."""
    try:
        yield
    except RegistryUnauthorizedError as error:
        # Neither 401 nor 403 as dockerd: Docker's client takes 401 for the daemon's own wish for a
        # password, and asks for one without end where there is nobody to type it.
        raise BoxshipError(error.told) from error
    except RegistryDeniedError as error:
        raise NotFoundError(
            f"pull access denied for {name.familiar_name}, repository does not exist or may "
            f"require 'docker login': {error.told}"
        ) from error
    except RegistryNotFoundError as error:
        what = f"manifest for {name.familiar}"
        if error.code == _NAME_UNKNOWN:
            what = f"repository {name.familiar_name}"
        raise NotFoundError(f"{what} not found: {error.told}") from error


def _tagged(reference: Reference, tags: Sequence[str]) -> list[Reference]:
    """Name each tag. Raise BadRegistryAnswerError before anything comes of a list with odd ones."""
    names = []
    for tag in tags:
        try:
            names.append(reference.with_tag(tag))
        except InvalidReferenceError as error:
            raise BadRegistryAnswerError(
                f"the registry lists {tag!r} among the tags of {reference.familiar_name}: {error}"
            ) from error
    return names


def _sources(name: Reference, layers: Sequence[RemoteLayer]) -> list[LayerSource]:
    """What the manifest claims; what was downloaded of it is known better by now."""
    return [layer.source(name.name, claimed=True) for layer in layers]
