"""The containers of a data root, in an order in which each finds those that it needs."""

import os
from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from boxship.base.errors import BoxshipError, ConflictError, InvalidArgumentError
from boxship.importing.documents import (
    ContainerDocument,
    EndpointDocument,
    IpamWish,
    MountDocument,
    StateDocument,
    moment,
    read,
)
from boxship.importing.inventory import FoundContainer, LeftOut
from boxship.importing.root import DRIVERS, OVERLAYFS, DockerRoot
from boxship.model.adoption import AdoptedContainer, AdoptedEndpoint, AdoptedMount, AdoptedState
from boxship.model.container import HostConfig

_OWN_RUNTIMES = ("runc", "io.containerd.runc.v2")
"""dockerd's default, by its names: here it means the default as well."""
_SWARM = "com.docker.swarm.task.id"
_ID = 64
_SHORT = 12


def found(root: DockerRoot, left: list[LeftOut]) -> tuple[FoundContainer, ...]:
    """Return them. ConflictError: some of them run."""
    documents = list(_documents(root, left))
    running = [document.name.lstrip("/") for document in documents if _runs(document)]
    if running:
        raise ConflictError(
            f"containers of {root.path} still run without a daemon: {', '.join(running)}; start "
            "Docker's daemon, stop them, and stop it"
        )
    taken = []
    for document in documents:
        try:
            taken.append(_container(root, document))
        except BoxshipError as error:
            left.append(LeftOut("container", document.name.lstrip("/"), str(error)))
    return ordered(taken)


def _documents(root: DockerRoot, left: list[LeftOut]) -> Iterator[ContainerDocument]:
    for name in sorted(os.listdir(root.join("containers"))):
        if len(name) != _ID:
            continue
        try:
            yield read(root.container(name, "config.v2.json"), ContainerDocument)
        except BoxshipError as error:
            left.append(LeftOut("container", name[:_SHORT], str(error)))


def _runs(document: ContainerDocument) -> bool:
    """Tell whether its first process is there: a daemon that was killed leaves it."""
    if not document.state.running or not document.state.pid:
        return False
    try:
        with open(f"/proc/{document.state.pid}/cgroup", encoding="utf-8") as file:
            return document.id in file.read()
    except OSError:
        return False


def _container(root: DockerRoot, document: ContainerDocument) -> FoundContainer:
    """InvalidArgumentError: it has no meaning elsewhere; UnavailableError: it cannot be read."""
    host = read(root.container(document.id, "hostconfig.json"), HostConfig)
    _refuse_odd(document, host)
    config = document.config
    networks = (document.network_settings and document.network_settings.networks) or {}
    hostname = config.hostname
    wanted = AdoptedContainer(
        id=document.id,
        name=document.name.lstrip("/"),
        created_ns=moment(document.created),
        image=document.image,
        path=document.path,
        args=document.args or (),
        config=config,
        host_config=_host(host),
        endpoints=tuple(
            _endpoint(name, each, (document.id[:_SHORT], hostname))
            for name, each in networks.items()
        ),
        mounts=tuple(_mounts(root, document)),
        state=_state(document),
    )
    return FoundContainer(wanted, document.driver)


def _refuse_odd(document: ContainerDocument, host: HostConfig) -> None:
    if document.state.dead or document.state.removal_in_progress:
        raise InvalidArgumentError("its removal has begun")
    if host.auto_remove:
        raise InvalidArgumentError("it was to be removed when it ends (--rm)")
    if _SWARM in (document.config.labels or {}):
        raise InvalidArgumentError("it is a swarm's")
    if document.driver not in (*DRIVERS, OVERLAYFS):
        raise InvalidArgumentError(
            f"its files are the storage driver {document.driver}'s, which cannot be read"
        )


def _host(host: HostConfig) -> HostConfig:
    return replace(host, runtime="") if host.runtime in _OWN_RUNTIMES else host


def _endpoint(network: str, endpoint: EndpointDocument, own: tuple[str, ...]) -> AdoptedEndpoint:
    ipam = endpoint.ipam_config or IpamWish()
    aliases = endpoint.aliases or ()
    if endpoint.dns_names is None:  # before Docker 25 these were mixed with those asked for
        aliases = tuple(alias for alias in aliases if alias not in own)
    return AdoptedEndpoint(
        network=network,
        aliases=aliases,
        links=endpoint.links or (),
        driver_opts=endpoint.driver_opts or None,
        mac_address=endpoint.desired_mac_address,
        ipv4_address=ipam.ipv4_address,
        ipv6_address=ipam.ipv6_address,
        link_local_ips=ipam.link_local_ips or (),
    )


def _mounts(root: DockerRoot, document: ContainerDocument) -> Iterator[AdoptedMount]:
    for mount in (document.mount_points or {}).values():
        if mount.type in ("volume", "bind"):
            yield _mount(root, mount)


def _mount(root: DockerRoot, mount: MountDocument) -> AdoptedMount:
    if mount.type == "volume" and mount.driver not in ("", "local"):
        raise InvalidArgumentError(
            f"its volume {mount.name} is the driver's, {mount.driver}, and not taken over"
        )
    return AdoptedMount(
        mount.type,
        mount.destination,
        mount.source if mount.type == "bind" else root.files(mount.name),
        mount.name,
        mount.relabel,
        mount.read_write,
        mount.propagation,
    )


def _state(document: ContainerDocument) -> AdoptedState:
    state: StateDocument = document.state
    return AdoptedState(
        started_ns=moment(state.started_at),
        finished_ns=moment(state.finished_at),
        # As dockerd says of one that it finds dead.
        exit_code=255 if state.running else state.exit_code,
        error=state.error,
        oom_killed=state.oom_killed,
        restart_count=document.restart_count,
        stopped_by_user=document.has_been_manually_stopped,
    )


def ordered(containers: Sequence[FoundContainer]) -> tuple[FoundContainer, ...]:
    """Put those that others share namespaces with, or are linked to, before these; else by age."""
    by_age = sorted(containers, key=lambda each: (each.wanted.created_ns, each.wanted.name))
    named = {key: each for each in by_age for key in (each.wanted.id, each.wanted.name)}
    done: dict[str, FoundContainer] = {}

    def put(each: FoundContainer, waiting: frozenset[str]) -> None:
        if each.wanted.id in done or each.wanted.id in waiting:
            return
        for name in _needs(each.wanted.host_config):
            if name in named:
                put(named[name], waiting | {each.wanted.id})
        done[each.wanted.id] = each

    for each in by_age:
        put(each, frozenset())
    return tuple(done.values())


def _needs(host: HostConfig) -> Iterator[str]:
    for mode in (host.network_mode, host.pid_mode, host.ipc_mode):
        kind, _, name = mode.partition(":")
        if kind == "container":
            yield name
    for link in host.links or ():
        yield link.partition(":")[0].lstrip("/")
