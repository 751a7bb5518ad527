"""One build from its beginning to its end.

::

    Dockerfile ─► plan, base images looked up ─► graph ─► solved ─► config ─► image, other outputs
    (loading)     (planning, basing)                      (solving)  (imaging)
"""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace

from boxship.base.errors import InvalidArgumentError
from boxship.dockerfile.errors import DockerfileError
from boxship.dockerfile.places import Range
from boxship.engine.build.basing import Bases
from boxship.engine.build.cachetransfer import CacheTransfer
from boxship.engine.build.clientside import ClientSide
from boxship.engine.build.contexts import Contexts
from boxship.engine.build.downloads import Downloads
from boxship.engine.build.executing import Executor
from boxship.engine.build.explain import Explainer
from boxship.engine.build.exporting.telling import Course, Scans
from boxship.engine.build.failures import InvalidDockerfileError
from boxship.engine.build.imagecache import ImageCache
from boxship.engine.build.imaging import document, squashed
from boxship.engine.build.layouts import Layouts
from boxship.engine.build.linting import warn
from boxship.engine.build.loading import Loaded, Loader
from boxship.engine.build.outputs import Outputs
from boxship.engine.build.planning.filesteps import shown_url
from boxship.engine.build.planning.plan import plan
from boxship.engine.build.planning.variables import proxies
from boxship.engine.build.planning.wish import BaseImage, ImageKey, Missing, Plan, Wish, image_key
from boxship.engine.build.progress import BuildPlan, VertexWarning
from boxship.engine.build.remote import Remote
from boxship.engine.build.reporting import Reporter
from boxship.engine.build.requests import (
    BuildRequest,
    BuildResult,
    BuiltImage,
    ContextSource,
    DockerfileAt,
    DockerfileText,
    EmptyContext,
    RemoteSource,
)
from boxship.engine.build.results import EMPTY_LAYER, Ground, Result
from boxship.engine.build.solving import Solver
from boxship.engine.build.sourcing import BuildSources
from boxship.engine.build.stepping import Stepper
from boxship.engine.images.service import ImageService
from boxship.oci import platform as platforms
from boxship.oci.digest import Digest
from boxship.oci.image import Image, encode
from boxship.oci.platform import Platform
from boxship.solver.graph import Graph
from boxship.solver.operations import CacheMount, Exec
from boxship.storage.layers import Lease

_MOST_PLANS = 64


@dataclass(frozen=True, slots=True)
class Workplace:
    """What all builds of an engine use."""

    ground: Ground
    images: ImageService
    executor: Executor
    contexts: Contexts
    downloads: Downloads


@dataclass(slots=True)
class Build:
    """One build; ``run`` it once."""

    workplace: Workplace
    request: BuildRequest
    client: ClientSide
    report: Reporter
    graph: Graph[Range] = field(default_factory=Graph)
    images: dict[ImageKey, BaseImage] = field(default_factory=dict)
    warnings: int = 0

    async def run(self) -> BuildResult:
        """Return what was built; cancelling it ends what runs."""
        started_ns = self.workplace.ground.clock.now_ns()
        async with AsyncExitStack() as stack:
            lease = await stack.enter_async_context(self.workplace.images.building())
            remote = Remote(
                self.workplace.ground.storage, self.client, stack, self.workplace.downloads
            )
            self.request = await _brought(self.request, remote, self.report)
            loaded = await self._load()
            plans = await self._planned(loaded, lease)
            if not self.request.classic:
                seen = plans[0].environments
                self.warnings = warn(loaded, self.request, seen, self.report)
            if self.request.check_only:
                return BuildResult(self.request.reference, warnings=self.warnings)
            for each in plans:
                self.report.event(BuildPlan(each.steps, str(each.platform)))
            contexts = self.workplace.contexts
            transfer = self._transfer(lease)
            images = await transfer.bring()
            sources = BuildSources(
                self.request,
                self.client,
                contexts,
                remote,
                stack,
                self.report,
                self.graph,
                frozenset(vertex for each in plans for _, vertex in self._scans(each)),
            )
            chains = tuple(chain for each in plans for chain in each.chains)
            solver = self._solver(loaded, lease, sources, ImageCache(images, chains))
            targets = [each.tree for each in plans if each.tree is not None]
            scanned = [vertex for each in plans for _, vertex in self._scans(each)]
            solved = await solver.solve([*targets, *scanned])
            found = iter(solved)
            trees = {v: each.tree for v, each in zip(scanned, solved[len(targets) :], strict=True)}
            results = [Result() if each.tree is None else next(found) for each in plans]
            pairs = zip(plans, results, strict=True)
            built = [await self._image(planned, result, lease) for planned, result in pairs]
            built = await self._cached(transfer, solver, targets, built)
            scans = {
                each.platform: tuple((name, trees[vertex]) for name, vertex in self._scans(each))
                for each in plans
            }
            outputs = self._outputs(loaded, started_ns, scans)
            return await outputs.write(self.request, built, self.warnings)

    def _scans(self, planned: Plan) -> tuple[tuple[str, Digest], ...]:
        """Return what is scanned beside the image, if anything is."""
        return planned.scans if self.request.attestations.sbom else ()

    def _outputs(self, loaded: Loaded, started_ns: int, scans: Scans) -> Outputs:
        workplace, epoch = self.workplace, self._epoch
        bases = tuple(self.images[key] for key in sorted(self.images))
        course = Course(started_ns, bases, loaded.source, scans)
        latest_ns = None if epoch is None else epoch * 1_000_000_000
        return Outputs(
            workplace.ground,
            workplace.images,
            self.client,
            self.report,
            workplace.executor.workshop,
            course,
            latest_ns,
            workplace.ground.clock.now_ns(),
        )

    async def _load(self) -> Loaded:
        loader = Loader(self.request, self.client, self.workplace.contexts, self.report)
        return await loader.load()

    async def _planned(self, loaded: Loaded, lease: Lease) -> list[Plan]:
        """Plan for all platforms, one after the other, into one graph."""
        bases = Bases(
            self.workplace.images,
            self.client,
            Layouts(self.workplace.images, self.workplace.contexts, self.client),
            lease,
            self.report,
            self.request.pull,
            classic=self.request.classic,
        )
        found = []
        for platform in self._platforms:
            try:
                found.append(await self._plan(loaded, self._wish(loaded, platform), bases))
            except DockerfileError as error:
                known = error.where.line_start
                place = loaded.place(error.where) if known else None
                raise InvalidDockerfileError(str(error), place) from error
        if found[0].unused_args:
            names = " ".join(found[0].unused_args)
            text = f"One or more build-args [{names}] were not consumed"
            self.report.event(VertexWarning(loaded.vertex, text))
        return found

    async def _plan(self, loaded: Loaded, wish: Wish, bases: Bases) -> Plan:
        for _ in range(_MOST_PLANS):
            outcome = plan(loaded.dockerfile, wish, self.images, self.graph)
            if not isinstance(outcome, Missing):
                done, self.graph = outcome
                return done
            found = await asyncio.gather(*map(bases.resolve, outcome.images))
            for need, base in zip(outcome.images, found, strict=True):
                self.images[image_key(need)] = base
        raise InvalidArgumentError("the base images lead to ever more images")

    @property
    def _platforms(self) -> Sequence[Platform]:
        return self.request.platforms or (platforms.host(),)

    @property
    def _epoch(self) -> int | None:
        given = self.request.build_args.get("SOURCE_DATE_EPOCH")
        if self.request.source_date_epoch is not None or not given:
            return self.request.source_date_epoch
        if not given.isdecimal():
            raise InvalidArgumentError(f"invalid SOURCE_DATE_EPOCH: {given}: seconds are needed")
        return int(given)

    def _wish(self, loaded: Loaded, platform: Platform) -> Wish:
        request = self.request
        hostname = request.hostname or request.build_args.get("BUILDKIT_SANDBOX_HOSTNAME") or ""
        return Wish(
            platform=platform,
            host=platforms.host(),
            target=request.target,
            build_args=request.build_args,
            labels=request.labels,
            context=request.context,
            contexts={name.lower(): source for name, source in request.contexts.items()},
            ignored=loaded.ignored,
            fresh=request.cache.disabled,
            fresh_stages=frozenset(name.lower() for name in request.cache.disabled_stages),
            network=request.network,
            extra_hosts=request.extra_hosts,
            hostname=hostname,
            entitlements=request.entitlements,
            source_date_epoch=self._epoch,
            classic=request.classic,
            several_platforms=request.is_listed,
        )

    def _transfer(self, lease: Lease) -> CacheTransfer:
        place = self.workplace
        return CacheTransfer(
            ground=place.ground,
            images=place.images,
            contexts=place.contexts,
            caches=place.executor.caches,
            client=self.client,
            lease=lease,
            report=self.report,
            request=self.request,
        )

    async def _cached(
        self,
        transfer: CacheTransfer,
        solver: Solver,
        targets: Sequence[Digest],
        built: list[BuiltImage],
    ) -> list[BuiltImage]:
        """Give caches away, if that was asked for."""
        if not transfer.wanted:
            return built
        operations = [v.operation for v in self.graph if isinstance(v.operation, Exec)]
        mounts = {m.id for each in operations for m in each.mounts if isinstance(m, CacheMount)}
        return await transfer.give(built, await solver.records(targets), mounts)

    def _solver(
        self, loaded: Loaded, lease: Lease, sources: BuildSources, of_images: ImageCache
    ) -> Solver:
        epoch = self._epoch
        steps = Stepper(
            executor=self.workplace.executor,
            images=self.workplace.images,
            client=self.client,
            lease=lease,
            report=self.report,
            place=loaded.place,
            limits=self.request.limits,
            proxies=tuple(f"{n}={v}" for n, v in proxies(self.request.build_args)),
            latest_ns=None if epoch is None else epoch * 1_000_000_000,
            keep_failed=self.request.keep_failed,
            classic=self.request.classic,
            platforms={
                step.vertex: chain.platform
                for chain in of_images.chains
                for step in chain.history
                if step.vertex is not None
            },
        )
        explain = None
        if self.request.explain:
            cache = self.workplace.ground.cache
            explain = Explainer(cache, self.graph, self.report, sources.opened)
        return Solver(
            self.workplace.ground,
            self.graph,
            sources,
            steps,
            lease,
            self.report,
            explain,
            of_images,
            date="" if epoch is None else str(epoch),
        )

    async def _image(self, planned: Plan, result: Result, lease: Lease) -> BuiltImage:
        ground = self.workplace.ground
        now = ground.clock.now_ns()
        if self.request.classic and planned.base_id and not planned.history:
            # Nothing was done to it: it is the base image, under further names.
            config = ground.storage.blobs.read(Digest.parse(planned.base_id))
            return BuiltImage(planned.platform, config, tuple(map(str, result.layers)))
        image = document(planned, result, classic=self.request.classic, now_ns=now)
        if self.request.squash:
            base = planned.base or Image()
            own = [each for each in result.layers[len(base.diff_ids) :] if each != EMPTY_LAYER]
            if own:
                layer = await self.workplace.executor.squash(own, lease, planned.modified_ns)
                image = squashed(image, base, layer.digest, planned, now)
        layers = (image.rootfs.diff_ids if image.rootfs else None) or ()
        return BuiltImage(planned.platform, encode(image), tuple(layers))


async def _brought(request: BuildRequest, remote: Remote, report: Reporter) -> BuildRequest:
    """Have a context and a Dockerfile that are elsewhere brought here."""
    if isinstance(request.context, RemoteSource):
        found = await _fetched(request, request.context, remote, report)
        if isinstance(found, DockerfileText):
            return replace(request, context=EmptyContext(), dockerfile=found)
        request = replace(request, context=found)
    at = request.dockerfile
    if isinstance(at, DockerfileAt) and isinstance(at.source, RemoteSource):
        found = await _fetched(request, at.source, remote, report)
        if isinstance(found, DockerfileText):
            return replace(request, dockerfile=found)
        return replace(request, dockerfile=replace(at, source=found))
    return request


async def _fetched(
    request: BuildRequest, source: RemoteSource, remote: Remote, report: Reporter
) -> ContextSource | DockerfileText:
    vertex = Digest.of(f"{request.reference} {source.url}".encode())
    report.announce(vertex, f"[internal] load remote build context {shown_url(source.url)}")
    report.start(vertex)
    try:
        keep_git = request.build_args.get("BUILDKIT_CONTEXT_KEEP_GIT_DIR") in ("1", "true")
        found = await remote.context(source, keep_git=keep_git)
    except BaseException as error:
        report.finish(vertex, error=str(error) or "canceled")
        raise
    report.finish(vertex)
    return found
