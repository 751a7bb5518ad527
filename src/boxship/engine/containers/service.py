"""The use cases of containers, as the API calls them; each is one verb in a file of its own.

A ``reference`` is a full id, an unambiguous beginning of one, or a name with or without the leading
slash. Any method that takes one may raise NotFoundError (``No such container: x``) or
InvalidArgumentError (ambiguous); what else it raises stands with it.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from functools import partial

from boxship.base.errors import NotFoundError
from boxship.engine.containers import (
    attach,
    checkpoints,
    connecting,
    create,
    execs,
    explain,
    freeze,
    linking,
    listing,
    logs,
    logstate,
    ports,
    prune,
    remove,
    rename,
    sizes,
    start,
    statistics,
    stop,
    terminal,
    top,
    update,
    waiting,
)
from boxship.engine.containers.context import Context
from boxship.engine.containers.facts import Course, Fact
from boxship.engine.containers.record import ContainerRecord
from boxship.engine.containers.requests import (
    AttachRequest,
    ConnectionQuery,
    ContainerPrune,
    ContainerQuery,
    Counts,
    CreateContainer,
    CreatedContainer,
    ExecConfig,
    ExecView,
    HijackedStream,
    LogQuery,
    PortChange,
    PrunedContainers,
    StepDuration,
    TopTable,
    WaitCondition,
    Waiting,
)
from boxship.engine.measures import timed
from boxship.engine.networks.endpoint import EndpointRecord
from boxship.model.connection import Connection
from boxship.model.container import HostConfig
from boxship.model.explanation import Explanation
from boxship.model.requester import NOBODY, Requester
from boxship.model.statistics import Statistics


class ContainerService:
    """All containers of one engine."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._finish = context.background.finish  # a client that hangs up interrupts nothing
        self._timed = partial(timed, context.measures.container_actions)

    # ── looking ──────────────────────────────────────────────────────────────────────────────

    def get(self, reference: str) -> ContainerRecord:
        """Return the container as it is now."""
        return self._context.shelf.find(reference).record

    def list(self, query: ContainerQuery) -> list[ContainerRecord]:
        """Return the containers asked for, newest first. InvalidArgumentError: unknown filter."""
        return listing.select(self._context, query)

    def counts(self) -> Counts:
        """Count the containers by what they do."""
        return listing.counts(self._context)

    def port_decided_by(self, address: str) -> str:
        """Return which firewall of the host decides who reaches published ports there, if any."""
        return ports.decided_by(self._context, address)

    async def connections(
        self, reference: str = "", verdict: str = "", most: int = 0
    ) -> Sequence[Connection]:
        """Return the latest connections that egress rules looked at (``most`` 0: all in the log).

        ``reference`` may also be of a container that is gone, by its name or id at that time.
        """
        wanted = ConnectionQuery(reference.removeprefix("/"), verdict)
        audit = self._context.plugging.egress.audit
        return await asyncio.to_thread(audit.read, most, wanted.fits)

    def storage(self, reference: str) -> dict[str, str]:
        """Return where its files are, as ``inspect`` shows it for the storage driver."""
        found = self._context.shelf.find(reference)
        try:
            return self._context.snapshots.detail(found.id)
        except NotFoundError:
            return {}  # being removed, or damaged: it can be looked at all the same

    async def sizes(self, ids: Sequence[str]) -> dict[str, tuple[int, int]]:
        """Return the bytes each has written, and those with its image's; those that are there."""
        return await sizes.measure(self._context, ids)

    def follow_statistics(self, reference: str) -> AsyncGenerator[Statistics, None]:
        """Sample what it uses every second, until it is removed; zeros while it does not run.

        Found at once. Close the generator (``aclose``) when the client has gone.
        """
        return statistics.follow(self._context, self._context.shelf.find(reference))

    async def statistics(self, reference: str, *, at_once: bool = False) -> Statistics:
        """Return what it uses; unless ``at_once``, beside what it used a second before."""
        found = self._context.shelf.find(reference)
        return await statistics.once(self._context, found, at_once=at_once)

    async def explain(self, reference: str) -> Explanation:
        """Say what it is made of, and by which commands a shell would make it."""
        found = self._context.shelf.find(reference)
        layers = explain.layers(self._context, found.record)
        return await asyncio.to_thread(explain.explain, self._context, found, layers)

    def execs(self, reference: str) -> Sequence[str]:
        """Return the ids of a container's execs that have not ended."""
        return execs.unended(self._context.shelf.find(reference))

    async def top(self, reference: str, ps_args: str = "-ef") -> TopTable:
        """Return what ``ps`` says of its processes. ConflictError: it isn't running."""
        return await top.top(self._context, self._context.shelf.find(reference), ps_args)

    def logs(self, reference: str, query: LogQuery) -> logs.Batches:
        """Read the log in batches, in order; with ``follow`` until the container stops.

        Found and checked at once; only the reading is left to the iteration. Close the iterator
        (``aclose``) when the client has gone.
        """
        return logs.read(self._context, self._context.shelf.find(reference), query)

    def lost_log_lines(self, reference: str) -> int:
        """Return how many lines of its output did not get into its log."""
        return logstate.lost_lines(self._context, self._context.shelf.find(reference))

    async def log_state(self, reference: str) -> logstate.LogState:
        """Say what is kept of a container's output, and what was lost."""
        return await logstate.state(self._context, self._context.shelf.find(reference))

    async def clear_log(self, reference: str) -> int:
        """Forget what was logged until now, also while it runs; return the bytes that came free.

        InvalidArgumentError: it has no log here; ConflictError: its shim can't.
        """
        return await logstate.clear(self._context, self._context.shelf.find(reference))

    # ── from create to remove ────────────────────────────────────────────────────────────────

    async def create(self, request: CreateContainer) -> CreatedContainer:
        """Make a container that does not run yet.

        InvalidArgumentError: a bad field; NotFoundError: no such image; ConflictError: the name is
        in use; NotImplementedYetError: Docker can, this version can't.
        """
        with self._timed("create"):
            return await self._finish(create.create(self._context, request))

    async def start(
        self,
        reference: str,
        *,
        detach_keys: str | None = None,
        checkpoint: tuple[str, str] | None = None,
        by: Requester = NOBODY,
    ) -> tuple[StepDuration, ...]:
        """Start it; return where the time went. NotModifiedError: it runs already.

        With ``checkpoint``, its name and directory (empty: the usual one), go on from there;
        NotFoundError: there is none. StartRefusedError: its command cannot be executed.
        """
        found = self._context.shelf.find(reference)
        work = start.start(
            self._context,
            found,
            detach_keys=detach_keys,
            checkpoint=checkpoint,
            cause=Fact(by=by, course=Course.START),
        )
        with self._timed("start"):
            return await self._finish(work)

    async def checkpoint(
        self, reference: str, name: str, directory: str = "", *, leave_running: bool = False
    ) -> None:
        """Save what its processes do, under a name; it ends, unless left running.

        ConflictError: it does not run, or the name is taken; InvalidArgumentError: a bad name, or a
        container of a kind that cannot be saved; UnavailableError: criu is not installed;
        InternalError: criu refused, and the container runs on.
        """
        found = self._context.shelf.find(reference)
        await self._finish(
            checkpoints.create(self._context, found, name, directory, leave=leave_running)
        )

    def checkpoints(self, reference: str, directory: str = "") -> Sequence[str]:
        """Return the names of its checkpoints. NotFoundError: no such directory."""
        return checkpoints.listing(self._context, self._context.shelf.find(reference), directory)

    async def remove_checkpoint(self, reference: str, name: str, directory: str = "") -> None:
        """Remove a checkpoint. NotFoundError; InvalidArgumentError: it is something else."""
        found = self._context.shelf.find(reference)
        await self._finish(checkpoints.remove(self._context, found, name, directory))

    async def stop(
        self,
        reference: str,
        *,
        signal: str | None = None,
        timeout: int | None = None,  # noqa: ASYNC109 - Docker's word
        by: Requester = NOBODY,
    ) -> None:
        """Ask it to end, and kill it after ``timeout`` seconds (-1: wait for ever; None: its own).

        NotModifiedError: it does not run.
        """
        found = self._context.shelf.find(reference)
        cause = Fact(by=by, course=Course.STOP)
        with stop.failing_to("stop", reference):
            await self._finish(
                stop.stop(self._context, found, signal=signal, grace=timeout, cause=cause)
            )

    async def kill(
        self, reference: str, signal: str = "SIGKILL", *, by: Requester = NOBODY
    ) -> None:
        """Send a signal, by name or number. ConflictError: it does not run."""
        found, cause = self._context.shelf.find(reference), Fact(by=by, course=Course.KILL)
        with stop.failing_to("kill", reference):
            await self._finish(stop.kill(self._context, found, signal, cause))

    async def restart(
        self,
        reference: str,
        *,
        signal: str | None = None,
        timeout: int | None = None,  # noqa: ASYNC109 - Docker's word
        by: Requester = NOBODY,
    ) -> None:
        """Stop it if it runs, and start it. Errors as of both; they say what was tried."""
        found, context = self._context.shelf.find(reference), self._context
        cause = Fact(by=by, course=Course.RESTART)
        with stop.failing_to_restart(reference):
            await self._finish(
                stop.restart(context, found, signal=signal, grace=timeout, cause=cause)
            )

    async def pause(self, reference: str, *, by: Requester = NOBODY) -> None:
        """Freeze all its processes. ConflictError: not running, or paused already."""
        found = self._context.shelf.find(reference)
        await self._finish(freeze.pause(self._context, found, Fact(by=by)))

    async def unpause(self, reference: str, *, by: Requester = NOBODY) -> None:
        """Thaw them. ConflictError: it isn't paused."""
        found = self._context.shelf.find(reference)
        await self._finish(freeze.unpause(self._context, found, Fact(by=by)))

    async def update(
        self, reference: str, wanted: HostConfig, change: PortChange | None = None
    ) -> tuple[str, ...]:
        """Change limits, restart policy and egress rules; zero fields stay as they are; and ports.

        Return warnings. All of it happens or nothing.

        InvalidArgumentError: a bad value; ConflictError: it does not go with what is set already,
        or the container is being removed; InternalError: the kernel refused, nothing has changed.
        """
        found = self._context.shelf.find(reference)
        return await self._finish(
            update.update(self._context, found, wanted, change or PortChange())
        )

    async def rename(self, reference: str, new_name: str) -> None:
        """Give it another name. ConflictError: in use."""
        await self._finish(
            rename.rename(self._context, self._context.shelf.find(reference), new_name)
        )

    async def connect(self, reference: str, wish: EndpointRecord) -> None:
        """Connect it to ``wish.network`` (a name or an id), at once if it runs.

        NotFoundError: no such network; InvalidArgumentError: it does not go with its other
        networks, or the wish does not fit; ForbiddenError: it is on it already; ConflictError: an
        address is taken, or it is being removed; UnavailableError: the kernel refuses.
        """
        found = self._context.shelf.find(reference)
        with timed(self._context.measures.network_actions, "connect"):
            await self._finish(connecting.connect(self._context, found, wish))

    async def disconnect(self, reference: str, network: str) -> None:
        """Disconnect it. NotFoundError: no such network; InternalError: it is not on it.

        InvalidArgumentError: nobody leaves the host's network.
        """
        found = self._context.shelf.find(reference)
        with timed(self._context.measures.network_actions, "disconnect"):
            await self._finish(connecting.disconnect(self._context, found, network))

    def links(self, reference: str) -> tuple[str, ...]:
        """Return its links to other containers, as ``inspect`` shows them: ``/db:/web/alias``."""
        shelf = self._context.shelf
        return linking.shown(shelf, shelf.find(reference).record)

    async def wait(
        self, reference: str, condition: WaitCondition = WaitCondition.NOT_RUNNING
    ) -> Waiting:
        """Register a wait and return the outcome to come; a future, to be awaited or cancelled."""
        return waiting.register(self._context, self._context.shelf.find(reference), condition)

    async def remove(
        self,
        reference: str,
        *,
        force: bool = False,
        volumes: bool = False,
        link: bool = False,
        by: Requester = NOBODY,
    ) -> None:
        """Remove it. ConflictError: it runs (and no ``force``), or is being removed."""
        found = self._context.shelf.find(reference)
        work = remove.remove(self._context, found, force=force, volumes=volumes, link=link, by=by)
        with self._timed("delete"):
            await self._finish(work)

    async def prune(self, wanted: ContainerPrune) -> PrunedContainers:
        """Remove what does not run. ConflictError: somebody is at it already."""
        return await self._finish(prune.prune(self._context, wanted))

    async def plan_prune(self, wanted: ContainerPrune) -> PrunedContainers:
        """Say what a prune would remove now."""
        return await prune.plan(self._context, wanted)

    # ── streams and execs ────────────────────────────────────────────────────────────────────

    async def attach(self, reference: str, request: AttachRequest, stream: HijackedStream) -> None:
        """Join the client's connection with the container's standard streams.

        Returns as soon as the connection has been handed over; it lives on by itself. Errors
        (ConflictError: paused or restarting) come before the answer has begun.
        """
        await attach.attach(self._context, self._context.shelf.find(reference), request, stream)

    async def resize(self, reference: str, height: int, width: int) -> None:
        """Set the size of its terminal. ConflictError: it does not run."""
        await terminal.resize(self._context, self._context.shelf.find(reference), height, width)

    async def exec_create(self, reference: str, config: ExecConfig) -> str:
        """Prepare another process; return the exec's id. ConflictError: paused or not running."""
        return await execs.create(self._context, self._context.shelf.find(reference), config)

    async def exec_start(
        self,
        exec_id: str,
        *,
        detach: bool = False,
        tty: bool = False,
        console_size: tuple[int, int] | None = None,
        stream: HijackedStream | None = None,
    ) -> None:
        """Run a prepared process; with ``stream`` (not ``detach``) joined to that connection.

        NotFoundError: ``No such exec instance: x``; ConflictError: started already, or the
        container can't. A command that can't be executed raises StartRefusedError when detached;
        else the client reads it from the stream and gets 126 or 127 from ``exec_inspect``.
        """
        await execs.start(
            self._context, exec_id, detach=detach, tty=tty, console_size=console_size, stream=stream
        )

    def exec_inspect(self, exec_id: str) -> ExecView:
        """Return an exec as it is now. NotFoundError: unknown."""
        return execs.inspect(self._context, exec_id)

    async def exec_resize(self, exec_id: str, height: int, width: int) -> None:
        """Set the size of an exec's terminal. ConflictError: it does not run."""
        await terminal.resize_exec(self._context, exec_id, height, width)
