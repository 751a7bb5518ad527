"""Carry out the operations of a build that make new layers.

::

    Exec          snapshot ─► mounts, network ─► plan ─► shim ─► snapshot's tree becomes a layer
    FileActions   snapshot ─► mounted where nobody else is ─► files ─► the same

The layer is in the store at once; what it rests on and the layer itself are kept by the lease of
whoever asks. Snapshots, directories and shims are named like a container's and have no record:
whatever ends a step, and be it the daemon's end, nothing of it stays but the layer.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TypeVar

from msgspec.structs import replace

from boxship.base import ids
from boxship.base.errors import BoxshipError, InvalidArgumentError, UnavailableError
from boxship.engine.build.caches import Caches
from boxship.engine.build.execution import mounts, network, points, process, record
from boxship.engine.build.execution.ground import Ground
from boxship.engine.build.execution.process import Tell
from boxship.engine.build.files import actions as files
from boxship.engine.build.files.roots import Workshop
from boxship.engine.build.trees import DirectoryTree, Extras, LayersTree, Tree
from boxship.engine.containers import identity, mountsources
from boxship.engine.containers.context import Context
from boxship.engine.containers.record import ContainerRecord, MountPoint
from boxship.engine.images.bridge import to_the_end
from boxship.oci.digest import Digest
from boxship.runtime.messages import Exit, Json
from boxship.solver.operations import Exec, FileActions, Input
from boxship.storage.adopting import Adoption
from boxship.storage.layers import Layer, Lease
from boxship.storage.snapshots import Mount, OverlayMount
from boxship.storage.squashing import squashed_tar
from boxship.storage.storage import Storage

ResultT = TypeVar("ResultT")

_AT_ONCE = 4
_MOST_LAYERS = 480
"""Beyond, no directory for mount points fits under the stack."""


class StepExitError(BoxshipError):
    """The program of a step has ended with another exit code than 0.

    ``layer`` is what it had written by then, if that was to be kept.
    """

    def __init__(self, exit_: Exit, layer: Layer | None = None) -> None:
        reason = f": killed by signal {exit_.signal}" if exit_.signal else ""
        if exit_.oom_killed:
            reason = ": out of memory"
        super().__init__(f"exit code: {exit_.exit_code}{reason}")
        self.exit_code = exit_.exit_code
        self.signal = exit_.signal
        self.oom_killed = exit_.oom_killed
        self.layer = layer


class Executor:
    """Carries out steps, any number side by side. Call it from the event loop."""

    def __init__(
        self, context: Context, storage: Storage, at_once: asyncio.Semaphore | None = None
    ) -> None:
        """``at_once`` has room for as many programs as may run at the same time."""
        self._at_once = at_once or asyncio.Semaphore(_AT_ONCE)
        self._context = context
        self._storage = storage
        self._adoption = Adoption(storage.root, storage.layers, storage.snapshots)
        self.workshop = Workshop(context.snapshots, context.paths.mountpoint)
        self.caches = Caches(
            storage.root,
            storage.snapshots,
            context.clock,
            context.throw_away,
            context.paths.mountpoint,
        )

    async def run(
        self, step: Exec, inputs: Sequence[Tree], extras: Extras, lease: Lease, tell: Tell
    ) -> Layer:
        """Run a program over its root, and return the layer of what it wrote (perhaps no entries).

        StepExitError: it ended with an error; StartRefusedError: it cannot be executed;
        InvalidArgumentError, NotFoundError: what it is to be given is not there;
        UnavailableError: the machine does not give what it takes.
        """
        step_id, below = ids.new_id(), _layers(step.root, inputs)
        ground = Ground(self._context, self.caches, step_id, inputs, extras)
        async with (
            self._snapshot(step_id, below),
            mounts.made(ground, step) as made,
            self._at_once,  # behind everything that others may have one wait for
        ):
            exit_ = await self._executed(step_id, step, extras, made, tell)
            if exit_.exit_code and not extras.keep_failed:
                raise StepExitError(exit_)
            layer = await self._adopted(step_id, lease, extras.latest_ns)
            if exit_.exit_code:
                raise StepExitError(exit_, layer)
            return layer

    async def files(
        self,
        actions: FileActions,
        inputs: Sequence[Tree],
        lease: Lease,
        latest_ns: int | None = None,
    ) -> Layer:
        """Make changes to files, and return the layer of them.

        InvalidArgumentError, NotFoundError: what was asked for cannot be, or is not there.
        """
        key, below = ids.new_id(), _layers(actions.root, inputs)
        async with self._snapshot(key, below):
            await _done(lambda: files.carry_out(self.workshop, key, actions, inputs))
            return await self._adopted(key, lease, latest_ns)

    async def squash(
        self, layers: Sequence[Digest], lease: Lease, latest_ns: int | None = None
    ) -> Layer:
        """Return one layer that does what these do together, lowest first.

        UnavailableError: the disk is full, or fails.
        """
        store = self._storage.layers
        trees = [store.diff_directory(layer) for layer in reversed(layers)]
        opaque = self._context.snapshots.opaque
        try:
            return await _done(lambda: store.unpack(squashed_tar(trees, opaque, latest_ns), lease))
        except OSError as error:
            raise UnavailableError(f"the layers cannot be made one: {error}") from error

    @asynccontextmanager
    async def _snapshot(self, key: str, below: tuple[Digest, ...]) -> AsyncIterator[None]:
        snapshots = self._context.snapshots
        try:
            if snapshots.takes_long(below):
                await to_the_end(asyncio.to_thread(snapshots.prepare, key, below))
            else:
                snapshots.prepare(key, below)
        except OSError as error:
            snapshots.remove(key)
            raise UnavailableError(f"the step's directories cannot be made: {error}") from error
        try:
            yield
        finally:
            snapshots.remove(key)

    async def _adopted(self, key: str, lease: Lease, latest_ns: int | None) -> Layer:
        try:
            return await _done(lambda: self._adoption.adopt(key, lease, latest_ns))
        except OSError as error:
            raise UnavailableError(f"the step's layer cannot be stored: {error}") from error

    async def _executed(
        self,
        step_id: str,
        step: Exec,
        extras: Extras,
        made: tuple[MountPoint, ...],
        tell: Tell,
    ) -> Exit:
        context = self._context
        wanted = record.step_record(context, step_id, step, extras, made)
        try:
            with await process.ready_shim(context) as shim:
                async with network.connected(context, wanted) as connection:
                    stdin = step.stdin.encode(errors="surrogateescape") if step.stdin else None
                    plan = self._plan(connection)
                    program = process.Program(connection.record, plan, stdin, tell)
                    return await process.run(context, shim, program)
        except OSError as error:
            raise UnavailableError(f"the step cannot be prepared: {error}") from error
        finally:
            context.throw_away(context.paths.of(step_id).directory)

    def _plan(self, connection: network.Connection) -> Json:
        """Write what the step's container reads, and plan its start."""
        context, found = self._context, connection.record
        identity.write_files(context, found)
        if any(map(mountsources.needs_source, found.mounts)):
            place = f"{context.paths.sources}/{found.id}"
            mountsources.mount_all(found, place, context.snapshots)
        mount = self._with_points(found)
        return context.planner.plan(found, mount, context.shelf, connection.paths)

    def _with_points(self, found: ContainerRecord) -> Mount:
        """Put what the tree lacks of places for mounts under it."""
        snapshots = self._context.snapshots
        mount = snapshots.mount(found.id)
        if not found.mounts or not isinstance(mount, OverlayMount):
            return mount
        if len(mount.lower) > _MOST_LAYERS:
            return mount
        settled = mountsources.settled(found, self._context.paths)
        targets = [
            (point.destination, point.type != "tmpfs" and not os.path.isdir(point.source))
            for point in settled.mounts
        ]
        directory = self._storage.root.join("snapshots", found.id, "points")
        if not points.make_points(snapshots.below(found.id), snapshots.opaque, targets, directory):
            return mount
        *layers, stubs = mount.lower
        return replace(mount, lower=(*layers, os.path.relpath(directory, mount.cwd), stubs))


def _layers(which: Input, inputs: Sequence[Tree]) -> tuple[Digest, ...]:
    """Return the layers of an input that is a root."""
    tree = LayersTree() if which is None else inputs[which]
    if isinstance(tree, DirectoryTree):
        raise InvalidArgumentError("a directory of files cannot be the root of a step")
    return tree.layers


async def _done(work: Callable[[], ResultT]) -> ResultT:
    """Do it in a thread, which nobody can stop: what it works on stays until its end.

    One of the loop's: it waits for nobody, and a step is too short to begin a thread for it.
    """
    return await to_the_end(asyncio.to_thread(work))
