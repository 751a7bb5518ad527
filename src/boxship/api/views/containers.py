"""Containers as the list and ``inspect`` show them."""

import base64
from collections.abc import Sequence

from msgspec import UNSET, Struct, structs

from boxship.api.views.endpoints import endpoints_of, network_settings
from boxship.api.views.ports import port_rows
from boxship.api.views.times import human_duration
from boxship.base import detachkeys
from boxship.base.clock import format_ns
from boxship.engine.containers.health.state import Health, HealthStatus
from boxship.engine.containers.record import ContainerRecord, ContainerState, MountPoint, Status
from boxship.engine.containers.requests import ExecView, StepDuration
from boxship.model.portmaps import unfolded_config, unfolded_host
from boxship.wire.containers import (
    ContainerInspect,
    ContainerRow,
    ExecInspect,
    ExecProcess,
    HealthResult,
    MountRow,
    State,
    StepTime,
    SummaryHealth,
    SummaryHost,
    SummaryNetworks,
)
from boxship.wire.containers import (
    Health as HealthView,
)
from boxship.wire.images import Driver


def step_time(step: StepDuration) -> StepTime:
    """Return a step of a start as ``--trace`` prints it."""
    return StepTime(step.name, step.duration_ns / 1e6)


class RowFacts(Struct, frozen=True):
    """What a row shows beside its record; from both together it follows.

    ``firewalls`` are those of the host that decide over published ports, by host address;
    ``sizes`` the bytes written, and those with the image's, where they were asked for.
    """

    image: str
    status: str
    firewalls: tuple[tuple[str, str], ...] = ()
    sizes: tuple[int, int] | None = None


def container_row(record: ContainerRecord, facts: RowFacts) -> ContainerRow:
    """Return a row of the list."""
    written, whole = facts.sizes or (0, UNSET)
    firewalls = dict(facts.firewalls)
    return ContainerRow(
        id=record.id,
        names=(f"/{record.name}",),
        image=facts.image,
        image_id=record.image_id,
        command=command_text(record.path, record.args),
        created=record.created_ns // 1_000_000_000,
        labels=record.config.labels or {},
        state=record.status.value,
        status=facts.status,
        host_config=SummaryHost(
            record.host.network_mode or "default",
            record.host.annotations or UNSET,
            record.host.egress,
        ),
        network_settings=SummaryNetworks(endpoints_of(record)),
        mounts=tuple(map(_mount_row, record.mounts)),
        ports=port_rows(record, lambda address: firewalls.get(address, "")),
        size_rw=written or UNSET,
        size_root_fs=whole,
        health=_summary_health(record.state),
    )


def command_text(path: str, args: Sequence[str]) -> str:
    """Join a command for people: words with spaces stand in quotes."""
    words = (f"'{arg}'" if " " in arg else arg for arg in args)
    return " ".join((path, *words))


def status_text(state: ContainerState, now_ns: int) -> str:
    """Say what a container does, or did: ``Up 2 minutes (Paused)``, ``Exited (3) 4 days ago``."""
    match state.status:
        case Status.RUNNING:
            return f"Up {human_duration(now_ns - state.started_ns)}{_health_text(state)}"
        case Status.PAUSED:
            return f"Up {human_duration(now_ns - state.started_ns)} (Paused)"
        case Status.RESTARTING:
            ago = human_duration(now_ns - state.finished_ns)
            return f"Restarting ({state.exit_code}) {ago} ago"
        case Status.REMOVING:
            return "Removal In Progress"
        case Status.DEAD:
            return "Dead"
        case Status.EXITED:
            ago = human_duration(now_ns - state.finished_ns)
            return f"Exited ({state.exit_code}) {ago} ago"
    return "Created"


_HEALTH_TEXTS = {
    HealthStatus.STARTING: " (health: starting)",
    HealthStatus.HEALTHY: " (healthy)",
    HealthStatus.UNHEALTHY: " (unhealthy)",
}


def _health_text(state: ContainerState) -> str:
    return "" if state.health is None else _HEALTH_TEXTS[state.health.status]


def _summary_health(state: ContainerState) -> SummaryHealth:
    health = state.health
    if health is None:
        return SummaryHealth()
    return SummaryHealth(health.status.value, health.failing_streak)


class InspectFacts(Struct, frozen=True):
    """What ``inspect`` shows beside the record and the place of its files.

    ``links`` are as they are now; ``sizes`` as in :class:`RowFacts`.
    """

    execs: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    sizes: tuple[int, int] | None = None
    lost_log_lines: int = 0


def container_inspect(
    record: ContainerRecord, facts: InspectFacts, storage: dict[str, str], *, own_mac: bool = False
) -> ContainerInspect:
    """Return a container in full; ``storage`` is where its files are.

    ``own_mac`` adds the address asked for its first endpoint, for versions where it was its own.
    """
    written, whole = facts.sizes or (UNSET, UNSET)
    config = unfolded_config(record.config)
    host = unfolded_host(record.host)
    # Docker makes a container's own files when it is started first, and names none before.
    started = bool(record.state.started_ns)
    return ContainerInspect(
        id=record.id,
        created=format_ns(record.created_ns),
        path=record.path,
        args=record.args,
        state=_state(record.state),
        image=record.image_id,
        resolv_conf_path=record.resolv_conf_path if started else "",
        hostname_path=record.hostname_path if started else "",
        hosts_path=record.hosts_path if started else "",
        log_path=record.log_path if started else "",
        name=f"/{record.name}",
        restart_count=record.state.restart_count,
        driver=record.driver,
        platform=record.platform,
        host_config=structs.replace(host, links=facts.links or None),
        graph_driver=Driver(storage, record.driver),
        mounts=tuple(map(_mount_row, record.mounts)),
        config=structs.replace(
            config,
            mac_address=(own_mac and _mac_asked(record)) or UNSET,
            on_build=config.on_build or UNSET,
        ),
        network_settings=network_settings(record),
        exec_ids=facts.execs or None,
        size_rw=written,
        size_root_fs=whole,
        lost_log_lines=facts.lost_log_lines or UNSET,
    )


def _mac_asked(record: ContainerRecord) -> str:
    mode = record.host.network_mode
    return next((each.mac_asked for each in record.endpoints if each.network == mode), "")


def _state(state: ContainerState) -> State:
    return State(
        status=state.status.value,
        running=state.running,
        paused=state.paused,
        restarting=state.status is Status.RESTARTING,
        oom_killed=state.oom_killed,
        dead=state.status is Status.DEAD,
        pid=state.pid,
        exit_code=state.exit_code,
        error=state.error,
        started_at=format_ns(state.started_ns),
        finished_at=format_ns(state.finished_ns),
        health=UNSET if state.health is None else _health(state.health),
    )


def _health(health: Health) -> HealthView:
    return HealthView(
        health.status.value,
        health.failing_streak,
        tuple(
            HealthResult(
                format_ns(result.start_ns),
                format_ns(result.end_ns),
                result.exit_code,
                result.output,
            )
            for result in health.log
        ),
    )


def _mount_row(mount: MountPoint) -> MountRow:
    return MountRow(
        type=mount.type,
        name=mount.name or UNSET,
        source=mount.source,
        destination=mount.destination,
        driver=mount.driver or UNSET,
        mode=mount.mode,
        rw=mount.read_write,
        propagation=mount.propagation,
    )


def _typed(keys: str | None) -> str:
    """Return what a terminal sends for keys, as Go's JSON has bytes."""
    return base64.b64encode(detachkeys.parse(keys)).decode() if keys else ""


def exec_inspect(view: ExecView) -> ExecInspect:
    """Return an exec in full."""
    config = view.config
    return ExecInspect(
        id=view.id,
        running=view.running,
        exit_code=view.exit_code,
        process=ExecProcess(
            tty=config.tty,
            entrypoint=view.entrypoint,
            arguments=view.arguments,
            privileged=config.privileged,
            user=config.user or UNSET,
        ),
        open_stdin=config.attach_stdin,
        open_stderr=config.attach_stderr,
        open_stdout=config.attach_stdout,
        can_remove=view.can_remove,
        container_id=view.container_id,
        detach_keys=_typed(config.detach_keys),
        pid=view.pid,
    )
