"""A step as the record of a container, which is what plans are made of; nothing else has it."""

from boxship.base import ids
from boxship.engine.build.trees import Extras
from boxship.engine.containers import defaults, endpoints
from boxship.engine.containers.cdi.registry import look
from boxship.engine.containers.context import Context
from boxship.engine.containers.record import ContainerRecord, MountPoint
from boxship.engine.networks.record import HOST, NONE
from boxship.engine.settings import BUILT_IN_RUNTIME
from boxship.model.container import ContainerConfig, DeviceRequest, HostConfig, Ulimit
from boxship.solver.operations import Exec, Limits, SecretMount, SshMount

HOSTNAME = "buildkitsandbox"
"""BuildKit's; the same each time, since some programs write it into what they make."""
_WITHOUT_HOSTNAME = "HOSTNAME"
"""BuildKit's steps have no such variable: a word without ``=`` takes it away."""
_DEFAULT_NETWORKS = ("", "default")
_CDI = "cdi"
_DEFAULT_SHM = 64 << 20
_SHARE_OF_PROCESSES = 0.15
"""Of what the machine can have, as systemd gives a service: a step that forks for ever ends by
itself, and leaves room for whoever has to end it."""


def step_record(
    context: Context, step_id: str, step: Exec, extras: Extras, points: tuple[MountPoint, ...]
) -> ContainerRecord:
    """Return the record. InvalidArgumentError: the network is one that no step can have."""
    variables = (
        *extras.environment,
        *step.env,
        *_secret_variables(step, extras),
        *_agent_variable(step, extras),
    )
    config = ContainerConfig(
        hostname=step.hostname or HOSTNAME,
        user=step.user,
        env=(_WITHOUT_HOSTNAME, *variables),
        cmd=step.args,
        working_dir=step.cwd,
    )
    host = defaults.fill(
        _host(step, extras.limits, _devices(context, step)),
        context.settings,
        unified_cgroups=context.planner.unified_cgroups,
        runtime=BUILT_IN_RUNTIME,
    )
    apart = host.network_mode in (NONE, HOST)
    return ContainerRecord(
        id=step_id,
        name=f"build-{ids.short_id(step_id)}",
        created_ns=context.clock.now_ns(),
        image_id="",
        path=step.args[0],
        args=step.args[1:],
        config=config,
        host=host,
        mounts=points,
        endpoints=() if apart else endpoints.wanted(context.networks, config, host, ()),
    )


def _devices(context: Context, step: Exec) -> tuple[str, ...]:
    """Return the devices that are to be given: of the optional ones those that there are."""
    if not step.optional_devices:
        return step.devices
    known = look(context.settings.cdi_spec_dirs).devices
    return (*step.devices, *(name for name in step.optional_devices if name in known))


def _host(step: Exec, limits: Limits, devices: tuple[str, ...]) -> HostConfig:
    network = "" if step.network in _DEFAULT_NETWORKS else step.network
    return HostConfig(
        network_mode=network,
        runtime=BUILT_IN_RUNTIME,
        ipc_mode="private",
        privileged=step.security == "insecure",
        extra_hosts=(
            f"{step.hostname or HOSTNAME}:127.0.0.1",  # whatever its network
            *(f"{name}:{address}" for name, address in step.extra_hosts),
        ),
        device_requests=(DeviceRequest(_CDI, device_ids=devices),) if devices else None,
        shm_size=limits.shm_size or _DEFAULT_SHM,
        memory=limits.memory,
        memory_swap=limits.memory_swap,
        cpu_shares=limits.cpu_shares,
        cpu_period=limits.cpu_period,
        cpu_quota=limits.cpu_quota,
        cpuset_cpus=limits.cpuset_cpus,
        cpuset_mems=limits.cpuset_mems,
        cgroup_parent=limits.cgroup_parent,
        pids_limit=_most_processes(),
        ulimits=tuple(Ulimit(each.name, each.hard, each.soft) for each in limits.ulimits),
    )


def _most_processes() -> int:
    """Return how many processes a step may have."""
    found = []
    for name in ("threads-max", "pid_max"):
        with open(f"/proc/sys/kernel/{name}", encoding="ascii") as file:
            found.append(int(file.read()))
    return int(min(found) * _SHARE_OF_PROCESSES)


def _secret_variables(step: Exec, extras: Extras) -> list[str]:
    return [
        f"{mount.variable}={extras.secrets[mount.id].decode(errors='surrogateescape')}"
        for mount in step.mounts
        if isinstance(mount, SecretMount) and mount.variable and mount.id in extras.secrets
    ]


def _agent_variable(step: Exec, extras: Extras) -> list[str]:
    """Name the first agent's socket, unless the step has another one in mind."""
    if any(variable.startswith("SSH_AUTH_SOCK=") for variable in step.env):
        return []
    sockets = [m.target for m in step.mounts if isinstance(m, SshMount) and m.id in extras.agents]
    return [f"SSH_AUTH_SOCK={target}" for target in sockets[:1]]
