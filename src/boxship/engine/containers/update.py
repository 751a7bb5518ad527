"""Change a container's limits and its restart policy, whether it runs or not.

All of it happens or nothing: the kernel is asked first, the record says so afterwards, and what the
kernel has taken is taken back when it refuses the rest or the record cannot be written.
"""

import errno
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

import msgspec
from msgspec import UNSET

from boxship.base.errors import ConflictError, InternalError, InvalidArgumentError
from boxship.engine.containers import egresschecks, identity, networking, portchange, portclaims
from boxship.engine.containers.checks import limits, modes, options, support
from boxship.engine.containers.context import Context
from boxship.engine.containers.live import Container, locked
from boxship.engine.containers.record import ContainerRecord, Status
from boxship.engine.containers.requests import PortChange
from boxship.engine.containers.spec.resources import resources
from boxship.engine.networks import egress
from boxship.model.container import HostConfig
from boxship.oci.runtime import BlockIo, Cpu, Memory, Pids, Resources
from boxship.runtime.cgroups.tree import CgroupError

_PLAIN = (
    "blkio_weight",
    "cpu_shares",
    "cpu_period",
    "cpu_quota",
    "nano_cpus",
    "cpu_realtime_period",
    "cpu_realtime_runtime",
    "cpuset_cpus",
    "cpuset_mems",
    "memory",
    "memory_swap",
    "memory_reservation",
)
"""Fields whose zero means: leave it as it is."""
_SHARES = range(2, 262144 + 1)


async def update(
    context: Context, container: Container, wanted: HostConfig, ports: PortChange
) -> tuple[str, ...]:
    """Update it; see :meth:`ContainerService.update`. Return warnings."""
    options.check_restart(wanted.restart_policy, auto_remove=False)
    wanted, warnings = support.discard(wanted, context.machine)
    warnings += limits.check(wanted, context.machine, update=True)
    _check_shares(wanted)
    async with locked(container):
        record = container.record
        if record.status in (Status.REMOVING, Status.DEAD):
            raise _cannot(record.id, 'container is marked for removal and cannot be "update".')
        host = merge(record.id, record.host, wanted)
        _check_egress(wanted, host)
        egresschecks.check_kept(context, host, record.endpoints)
        async with AsyncExitStack() as undo:
            if record.state.alive:
                undo.push_async_callback(await _limit(context, record, changed(wanted, host)))
            after = msgspec.structs.replace(record, host=host)
            after = _with_ports(context, after, ports, undo)
            await context.shelf.save_durable(container, after, "update")
            await _tell_networks(context, container, record)
            undo.pop_all()
        context.announcer.say(container.record, "update")
    return tuple(warnings)


async def _limit(
    context: Context, record: ContainerRecord, limits: Resources
) -> Callable[[], Awaitable[object]]:
    """Set limits of one that runs; return what takes that back.

    InvalidArgumentError: what is asked for is no limit to the kernel; InternalError: it refused.
    """
    try:
        return await context.planner.change_limits(record, limits)
    except CgroupError as error:
        senseless = error.errno in (errno.EINVAL, errno.ERANGE)
        kind = InvalidArgumentError if senseless else InternalError
        raise kind(f"Cannot update container {record.id}: {error}") from error


def _check_egress(wanted: HostConfig, host: HostConfig) -> None:
    """Check rules of where it may connect to, as they are to be."""
    if wanted.egress is not UNSET and not wanted.egress:
        raise InvalidArgumentError('egress: no rules are given; "allow" lifts those there are')
    if egress.parse(egress.words_of(host)) is not None:
        modes.check_egress(host)


def _with_ports(
    context: Context, record: ContainerRecord, ports: PortChange, undo: AsyncExitStack
) -> ContainerRecord:
    """Return the record with other ports; if it runs, it has them by then."""
    if not ports:
        return record
    plan = portchange.plan(record, ports, portclaims.host_ip(context, record))
    if not record.state.alive:
        return msgspec.structs.replace(record, host=plan.host)
    portclaims.withdraw(context, record, plan.gone)
    undo.callback(portclaims.adopt, context, record, plan.gone)
    claimed = portclaims.claim(context, record, plan.wishes)
    undo.callback(portclaims.withdraw, context, record, claimed)
    return msgspec.structs.replace(record, host=plan.host, ports=(*plan.kept, *claimed))


async def _tell_networks(context: Context, container: Container, before: ContainerRecord) -> None:
    """Have the firewall do what the record says now, or let the record say what it said."""
    after = container.record
    if not after.state.alive or (before.ports, before.host.egress) == (
        after.ports, after.host.egress,
    ):  # fmt: skip
        return
    plug = networking.plug_of(context, after)
    try:
        if identity.reach_of(after) is identity.reach_of(before):
            await context.plugging.refresh(plug)
        else:  # its first rules on the default bridge: they come with a resolver
            await context.plugging.connect(plug, after.state.pid)
            identity.change_resolver(context, before, after)
    except BaseException:
        await context.shelf.save_durable(container, before, "update")
        raise


def _cannot(container_id: str, why: str) -> ConflictError:
    return ConflictError(f"Cannot update container {container_id}: {why}")


def _check_shares(wanted: HostConfig) -> None:
    shares = wanted.cpu_shares
    if shares and shares not in _SHARES:
        bound = f"minimum allowed cpu-shares is {_SHARES[0]}"
        if shares > _SHARES[0]:
            bound = f"maximum allowed cpu-shares is {_SHARES[-1]}"
        raise InvalidArgumentError(f"the {bound}")


def merge(container_id: str, host: HostConfig, wanted: HostConfig) -> HostConfig:
    """Return the host config with what is wanted in it; pure. ConflictError: they don't agree."""
    _check_against(container_id, host, wanted)
    changes: dict[str, object] = {
        name: value for name in _PLAIN if (value := getattr(wanted, name))
    }
    if wanted.kernel_memory is not UNSET and wanted.kernel_memory:
        changes["kernel_memory"] = wanted.kernel_memory
    if wanted.pids_limit is not None:
        changes["pids_limit"] = max(0, wanted.pids_limit)
    if wanted.restart_policy.name:
        changes["restart_policy"] = wanted.restart_policy
    if wanted.egress is not UNSET:
        changes["egress"] = wanted.egress
    merged = msgspec.structs.replace(host, **changes)
    if 0 < merged.memory_swap < merged.memory:
        raise InvalidArgumentError(
            "Minimum memoryswap limit should be larger than memory limit, see usage"
        )
    return merged


def _check_against(container_id: str, host: HostConfig, wanted: HostConfig) -> None:
    """Compare with what is set already: processors are counted in one way or the other."""
    for new, old, name, other in (
        (wanted.nano_cpus, host.cpu_period, "Nano CPUs", "CPU Period"),
        (wanted.nano_cpus, host.cpu_quota, "Nano CPUs", "CPU Quota"),
        (wanted.cpu_period, host.nano_cpus, "CPU Period", "NanoCPUs"),
        (wanted.cpu_quota, host.nano_cpus, "CPU Quota", "NanoCPUs"),
    ):
        if new > 0 and old > 0:
            raise _cannot(
                container_id,
                f"Conflicting options: {name} cannot be updated as {other} has already been set",
            )
    if wanted.memory and wanted.memory > host.memory_swap and wanted.memory_swap == 0:
        raise _cannot(
            container_id,
            "Memory limit should be smaller than already set memoryswap limit, "
            "update the memoryswap at the same time",
        )
    if host.auto_remove and wanted.restart_policy.name not in ("", "no"):
        raise _cannot(
            container_id,
            "Restart policy cannot be updated because AutoRemove is enabled for the container",
        )


def changed(wanted: HostConfig, merged: HostConfig) -> Resources:
    """Return the limits to be written: of each group that is touched, all that holds now. Pure.

    A group is more than what was asked for: the limit of swap on cgroup v2 depends on that of
    memory, and a quota means nothing without its period.
    """
    every = resources(merged, ())
    memory, cpu = every.memory or Memory(), every.cpu or Cpu()
    limits_touched = wanted.memory or wanted.memory_swap
    times_touched = wanted.nano_cpus or wanted.cpu_period or wanted.cpu_quota
    return Resources(
        memory=Memory(
            limit=memory.limit if limits_touched else None,
            swap=memory.swap if limits_touched else None,
            reservation=memory.reservation if wanted.memory_reservation else None,
        ),
        cpu=Cpu(
            shares=cpu.shares if wanted.cpu_shares else None,
            quota=cpu.quota if times_touched else None,
            period=cpu.period if times_touched else None,
            realtime_runtime=wanted.cpu_realtime_runtime or None,
            realtime_period=wanted.cpu_realtime_period or None,
            cpus=cpu.cpus if wanted.cpuset_cpus else "",
            mems=cpu.mems if wanted.cpuset_mems else "",
        ),
        pids=None if wanted.pids_limit is None else Pids(merged.pids_limit or -1),
        block_io=BlockIo(weight=wanted.blkio_weight) if wanted.blkio_weight else None,
    )
