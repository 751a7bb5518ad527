"""The daemon and its machine as ``/version`` and ``/info`` show them."""

import os
import platform
from itertools import starmap

from msgspec import UNSET

from boxship.api.facts import DaemonFacts, HostFacts, Release
from boxship.base.clock import format_ns
from boxship.engine.containers.logdrivers.names import LISTED
from boxship.engine.containers.requests import Counts
from boxship.oci.platform import host as host_platform
from boxship.wire.system import (
    AddressPool,
    Component,
    DeviceInfo,
    DiscreteResource,
    Firewall,
    GenericResource,
    IndexInfo,
    Info,
    NamedResource,
    PlatformName,
    Plugins,
    RegistryConfig,
    Runtime,
    Version,
)
from boxship.wire.versions import NEWEST, text

_PRODUCT = "Boxship"
_INDEX = "https://index.docker.io/v1/"


def version(host: HostFacts, daemon: Release) -> Version:
    """Describe the programs. Docker's word for the interpreter is ``GoVersion``."""
    architecture = host_platform().architecture
    python = f"python{platform.python_version()}"
    details = {
        "ApiVersion": text(NEWEST),
        "Arch": architecture,
        "BuildTime": "",
        "Experimental": "true" if daemon.experimental else "false",
        "GitCommit": "",
        "GoVersion": python,
        "KernelVersion": host.kernel,
        "MinAPIVersion": text(daemon.oldest),
        "Os": "linux",
    }
    return Version(
        platform=PlatformName(_PRODUCT),
        components=(Component("Engine", daemon.version, details),),
        version=daemon.version,
        api_version=text(NEWEST),
        min_api_version=text(daemon.oldest),
        git_commit="",
        go_version=python,
        os="linux",
        arch=architecture,
        kernel_version=host.kernel,
        build_time="",
    )


def info(
    host: HostFacts,
    daemon: DaemonFacts,
    counts: Counts,
    images: int,
    now_ns: int,
    *,
    listeners: int,
) -> Info:
    """Put together everything about the daemon."""
    can = host.controllers
    return Info(
        experimental_build=daemon.experimental,
        id=daemon.id,
        containers=counts.total,
        containers_running=counts.running,
        containers_paused=counts.paused,
        containers_stopped=counts.stopped,
        images=images,
        driver=daemon.storage_driver,
        driver_status=daemon.storage_status,
        plugins=Plugins(
            volume=("local", *daemon.plugins.volume),
            network=("bridge", "host", "ipvlan", "macvlan", "null", *daemon.plugins.network),
            authorization=daemon.plugins.authorization or None,
            log=(*LISTED, *daemon.plugins.log),
        ),
        memory_limit="memory" in can,
        swap_limit=host.swap_limit,
        cpu_cfs_period=host.cpu_quota,
        cpu_cfs_quota=host.cpu_quota,
        cpu_shares="cpu" in can,
        cpu_set="cpuset" in can,
        pids_limit="pids" in can,
        ipv4_forwarding=host.ip_forwarding,
        debug=daemon.debug,
        n_fd=_open_descriptors(),
        oom_kill_disable=host.oom_kill_disable,
        n_goroutines=0,
        system_time=format_ns(now_ns),
        logging_driver=daemon.log_driver,
        cgroup_driver=daemon.cgroup_driver,
        cgroup_version=str(host.cgroup_version),
        n_events_listener=listeners,
        kernel_version=host.kernel,
        operating_system=host.operating_system,
        os_version=host.os_version,
        os_type="linux",
        architecture=host.machine,
        index_server_address=_INDEX,
        registry_config=_registries(daemon),
        ncpu=host.cpus,
        mem_total=host.memory,
        docker_root_dir=daemon.data_root,
        name=host.name,
        labels=daemon.labels,
        server_version=daemon.version,
        runtimes={
            name: Runtime(runtime.path, runtime.arguments or UNSET)
            for name, runtime in daemon.runtimes.items()
        },
        default_runtime=daemon.default_runtime,
        live_restore_enabled=daemon.live_restore,
        init_binary=daemon.init_binary,
        generic_resources=tuple(starmap(_resource, daemon.generic_resources)) or None,
        http_proxy=daemon.proxies[0],
        https_proxy=daemon.proxies[1],
        no_proxy=daemon.proxies[2],
        security_options=_security_options(host, daemon),
        warnings=daemon.warnings or None,
        firewall_backend=Firewall(daemon.firewall),
        default_address_pools=tuple(AddressPool(*pool) for pool in daemon.address_pools) or UNSET,
        cdi_spec_dirs=daemon.cdi_spec_dirs,
        discovered_devices=tuple(DeviceInfo("cdi", name) for name in daemon.devices) or UNSET,
    )


def _resource(kind: str, worth: str | int) -> GenericResource:
    if isinstance(worth, int):
        return GenericResource(discrete_resource_spec=DiscreteResource(kind, worth))
    return GenericResource(named_resource_spec=NamedResource(kind, worth))


def _registries(daemon: DaemonFacts) -> RegistryConfig:
    blocks = tuple(entry for entry in daemon.insecure_registries if "/" in entry)
    names = [entry for entry in daemon.insecure_registries if "/" not in entry]
    hub = IndexInfo("docker.io", daemon.registry_mirrors, official=True)
    return RegistryConfig(
        insecure_registry_cidrs=("::1/128", "127.0.0.0/8", *blocks),
        index_configs={"docker.io": hub} | {name: IndexInfo(name, secure=False) for name in names},
        mirrors=daemon.registry_mirrors,
    )


def _open_descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def _security_options(host: HostFacts, daemon: DaemonFacts) -> tuple[str, ...]:
    options = []
    if host.seccomp:
        options.append(f"name=seccomp,profile={daemon.seccomp_profile}")
    if daemon.maps_users:
        options.append("name=userns")
    if daemon.private_cgroup_namespaces:
        options.append("name=cgroupns")
    if daemon.no_new_privileges:
        options.append("name=no-new-privileges")
    return tuple(options)
