"""The door itself: its sessions, its builds, and the services that clients call.

One client opens two connections, in any order::

    POST /session   the client is the server: files, secrets, agents      → Sessions
    POST /grpc      the client calls: Control, LLBBridge                  → Solvings

A Solve names its session. A client that goes away resets its Solve, which ends the build.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from urllib.parse import urlsplit

from boxship.api.backend import Backend
from boxship.api.buildkit import results
from boxship.api.buildkit.control import Control
from boxship.api.buildkit.endings import ending_of, ending_of_build
from boxship.api.buildkit.gateway import Gateway
from boxship.api.buildkit.session import Session
from boxship.api.buildkit.sessionbuild import Uploading
from boxship.api.buildkit.sessions import Offer, Sessions
from boxship.api.buildkit.solving import Returned, Solving, Solvings
from boxship.api.buildkit.subrequests import answer_subrequest
from boxship.api.buildkit.wishes import UPLOADED, Wishes, request_of
from boxship.api.buildkit.workers import worker
from boxship.api.call import Call
from boxship.api.grpc.server import CallFailedError, Server, ServerCall
from boxship.api.grpc.upgrade import upgrade
from boxship.api.http.messages import Answer, HandedOver
from boxship.base.errors import InvalidArgumentError, NotFoundError
from boxship.engine.build.clientside import ClientSide, NoClient
from boxship.engine.build.requests import (
    BuildRequest,
    BuildResult,
    CacheKind,
    ContextSource,
    DaemonDirectory,
    ImageContext,
    ImageOutput,
    RemoteSource,
    TargetContext,
)
from boxship.engine.build.service import Builder
from boxship.wire.buildkit import control
from boxship.wire.buildkit.worker import WorkerRecord
from boxship.wire.grpc.status import GrpcError, code_of
from boxship.wire.protobuf import encode


class Door:
    """All that clients of BuildKit see of one daemon."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self.sessions = Sessions()
        self.solvings = Solvings()
        self.uploading = Uploading()
        self._services = (*Control(self).services, *Gateway(self).services)

    @property
    def builder(self) -> Builder:
        return self._backend.builds()

    @property
    def worker(self) -> WorkerRecord:
        system = self._backend.system
        daemon = system.daemon
        return worker(daemon.id, daemon.storage_driver, system.host.name, self._host_gateway())

    def _host_gateway(self) -> str:
        """Return the host's address as it is configured, or as the default bridge sees it."""
        configured = self._backend.system.daemon.host_gateway_ips
        if configured:
            return configured[0]
        try:
            bridge = self._backend.networks.inspect("bridge").record
        except NotFoundError:
            return ""
        return next((pool.gateway for pool in bridge.ipam if pool.gateway), "")

    # ── connections ──────────────────────────────────────────────────────────────────────────

    async def serve(self, call: Call) -> Answer:
        """Take a connection on which the client calls us."""
        await upgrade(call, Server(self._services, ending_of))
        return HandedOver()

    async def open_session(self, call: Call, offer: Offer) -> Answer:
        """Take a connection on which we call the client."""
        async with self.sessions.begun(offer) as session:
            await upgrade(call, session.client)
        return HandedOver()

    # ── builds ───────────────────────────────────────────────────────────────────────────────

    async def solve(self, message: control.SolveRequest, call: ServerCall) -> None:
        """Serve a Solve: build, and answer with what the exporters say."""
        solving = await self.solvings.begin(message)
        try:
            wishes = await self._wishes(solving)
            response = {}
            if wishes is not None:
                result = await self._build(solving, request_of(message, wishes))
                response = {**result.response, **self._noted(message.session)}
            await call.send(encode(control.SolveResponse(response)))
        except GrpcError:
            raise
        except Exception as error:
            raise CallFailedError(ending_of_build(error)) from error
        finally:
            self.solvings.end(solving)

    def _noted(self, identifier: str) -> dict[str, str]:
        """Return what a client has to write into the index of its local cache."""
        session = self.sessions.find(identifier)
        if session is None or not session.cache_manifest:
            return {}
        return {"cache.manifest": session.cache_manifest.decode()}

    async def evaluate(self, solving: Solving, name: str) -> None:
        """Build a result that was asked for, as an image without a name: others may be based on it.

        The image's id is noted with the result.
        """
        inner = control.SolveRequest(ref=name, internal=True)
        request = request_of(inner, solving.results[name])
        try:
            built = await self._build(solving, replace(request, outputs=(ImageOutput(),)))
        except GrpcError:
            raise
        except Exception as error:
            raise CallFailedError(ending_of_build(error)) from error
        solving.images[name] = built.images[0].image_id

    async def subrequest(self, solving: Solving, wishes: Wishes) -> dict[str, bytes]:
        """Answer a question about the Dockerfile."""
        request = replace(request_of(solving.message, wishes), outputs=(), recorded=False)
        try:
            async with self._inputs(solving, request) as (asked, client):
                return await answer_subrequest(
                    wishes.attributes["requestid"], self.builder, asked, client
                )
        except GrpcError:
            raise
        except Exception as error:
            raise CallFailedError(ending_of_build(error)) from error

    async def _wishes(self, solving: Solving) -> Wishes | None:
        """Return what is to be built; None if the client only looked at what could be."""
        message = solving.message
        if message.frontend:
            return Wishes(message.frontend_attrs, results.names(message.frontend_inputs))
        if message.definition is not None and message.definition.operations:
            return self._kept(results.named(message.definition))
        returned: Returned = await solving.returned
        if returned.error is not None:
            error = returned.error
            raise GrpcError(code_of(str(error.code)), error.message, encode(error))
        return self._kept(returned.result) if returned.result else None

    def _kept(self, name: str) -> Wishes:
        solving = self.solvings.find_result(name)
        if solving is None:
            raise InvalidArgumentError(f"no such result: {name}")
        return solving.results[name]

    async def _build(self, solving: Solving, request: BuildRequest) -> BuildResult:
        async with self._inputs(solving, request) as (asked, client):
            contexts = {name: await self._linked(source) for name, source in asked.contexts.items()}
            return await self.builder.build(replace(asked, contexts=contexts), client, solving.tell)

    async def _linked(self, source: ContextSource) -> ContextSource:
        """Replace another build's result by the image that it is."""
        if not isinstance(source, TargetContext):
            return source
        solving = self.solvings.find_result(source.name)
        if solving is None:
            return source
        if source.name not in solving.images:
            await self.evaluate(solving, source.name)
        return ImageContext(solving.images[source.name])

    @asynccontextmanager
    async def _inputs(
        self, solving: Solving, request: BuildRequest
    ) -> AsyncIterator[tuple[BuildRequest, ClientSide]]:
        """Bring what a build needs before it begins: its session, an uploaded context."""
        identifier = solving.message.session
        session = await self.sessions.get(identifier) if identifier else None
        if session is not None:
            session.cache_digests.update(_local_caches(request))
        url = request.context.url if isinstance(request.context, RemoteSource) else ""
        if not url.startswith(UPLOADED):
            yield request, session or NoClient()
            return
        if session is None:
            raise InvalidArgumentError(f"the context {url} needs a session")
        async with self._backend.uploads().unpacked(_uploaded(session, url)) as directory:
            yield replace(request, context=DaemonDirectory(directory)), session


def _local_caches(request: BuildRequest) -> dict[str, str]:
    """Return the digests that the client has found in the index of its caches."""
    local = (each.attributes for each in request.cache.imports if each.kind is CacheKind.LOCAL)
    return {each.get("src", ""): each.get("digest", "") for each in local}


def _uploaded(session: Session, url: str) -> AsyncIterator[bytes]:
    place = urlsplit(url)
    return session.upload(place.netloc, place.path)
