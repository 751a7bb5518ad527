"""What a step sees beside its root: parts of other trees, caches, secrets, sockets of agents.

Sources are made on the host where containers' are, so that a daemon that is killed leaves nothing
that its successor does not find::

    <exec-root>/sources/<id>/<n>        part of a tree, mounted (``containers/mountsources.py``)
                             <n>.over   the same, for a step that may write to it
                             memory/    a tmpfs with the secrets, scripts and sockets in it
"""

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

from boxship.base.errors import UnavailableError
from boxship.engine.build.agents import relayed
from boxship.engine.build.execution.binds import bound
from boxship.engine.build.execution.ground import Ground
from boxship.engine.containers import mountsources
from boxship.engine.containers.record import MountPoint
from boxship.kernel import mounts as k
from boxship.solver.operations import (
    BindMount,
    CacheMount,
    Exec,
    Mount,
    SecretMount,
    SshMount,
    TmpfsMount,
)

_MEMORY = "memory"
_NOSUID_NODEV = 2 | 4
_NOEXEC = "noexec"


@asynccontextmanager
async def made(ground: Ground, step: Exec) -> AsyncIterator[tuple[MountPoint, ...]]:
    """Make what the step's mounts show, for as long as it runs.

    InvalidArgumentError: a part of a tree that is not there; UnavailableError: the disk is full, or
    the machine refuses. May wait for a cache that is locked.
    """
    async with AsyncExitStack() as stack:
        stack.callback(mountsources.discard, ground.place)
        try:
            points = await _points(ground, step, stack)
        except OSError as error:
            raise UnavailableError(f"the step's mounts cannot be made: {error}") from error
        yield tuple(points)


async def _points(ground: Ground, step: Exec, stack: AsyncExitStack) -> list[MountPoint]:
    wanted = [mount for mount in step.mounts if isinstance(mount, CacheMount)]
    seeds = [(mount, (ground.tree(mount.input), mount.source)) for mount in wanted]
    caches = await stack.enter_async_context(ground.caches.held(seeds))
    points = []
    for number, mount in enumerate(step.mounts):
        point = await _point(ground, mount, number, stack, caches)
        if point is not None:
            points.append(point)
    if step.script:
        points.append(_script(ground, step))
    return points


async def _point(
    ground: Ground,
    mount: Mount,
    number: int,
    stack: AsyncExitStack,
    caches: Mapping[str, str],
) -> MountPoint | None:
    if isinstance(mount, BindMount):
        return await bound(ground, mount, number, stack)
    if isinstance(mount, CacheMount):
        path, writable = caches[mount.id], not mount.read_only
        return MountPoint("volume", mount.target, path, read_write=writable, options=("rbind",))
    if isinstance(mount, TmpfsMount):
        options = ("exec", *((f"size={mount.size}",) if mount.size else ()))
        return MountPoint("tmpfs", mount.target, options=options)
    if isinstance(mount, SecretMount):
        return _secret(ground, mount, number)
    return await _agent(ground, mount, number, stack)


# ── in memory ────────────────────────────────────────────────────────────────────────────────


def _memory(ground: Ground) -> str:
    """Return a directory that is on no disk."""
    place = f"{ground.place}/{_MEMORY}"
    if not os.path.isdir(place):
        os.makedirs(place, 0o700)
        k.mount("tmpfs", place, "tmpfs", _NOSUID_NODEV, "mode=711")
    return place


def _secret(ground: Ground, mount: SecretMount, number: int) -> MountPoint | None:
    data = ground.extras.secrets.get(mount.id)
    if data is None or not mount.target:
        return None
    path = f"{_memory(ground)}/{number}"
    _write(path, data, mount.mode, ground.owner(mount.uid, mount.gid))
    return MountPoint("bind", mount.target, path, read_write=False, options=("bind", _NOEXEC))


def _script(ground: Ground, step: Exec) -> MountPoint:
    path = f"{_memory(ground)}/script"
    _write(path, step.script.encode(errors="surrogateescape"), 0o755, ground.owner(0, 0))
    return MountPoint("bind", step.args[0], path, read_write=False, options=("bind",))


def _write(path: str, data: bytes, mode: int, owner: tuple[int, int]) -> None:
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as f:
        f.write(data)
        os.fchown(f.fileno(), *owner)
        os.fchmod(f.fileno(), mode)


async def _agent(
    ground: Ground, mount: SshMount, number: int, stack: AsyncExitStack
) -> MountPoint | None:
    agent = ground.extras.agents.get(mount.id)
    if agent is None:
        return None
    path = f"{_memory(ground)}/{number}"
    await stack.enter_async_context(relayed(agent, path))
    os.chown(path, *ground.owner(mount.uid, mount.gid))
    os.chmod(path, mount.mode)
    return MountPoint("bind", mount.target, path, options=("bind", _NOEXEC))
