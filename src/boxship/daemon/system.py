"""The daemon as the API sees it: facts about the machine and about the current configuration."""

import os
import uuid
from collections.abc import Callable, Iterator
from functools import cached_property
from types import ModuleType

from boxship import __version__
from boxship.api.facts import DaemonFacts, HostFacts, Release, RuntimeFacts
from boxship.base.files import opened, write_atomic
from boxship.base.metrics import Family, Sample, gauge
from boxship.daemon import process
from boxship.daemon.config import DaemonConfig
from boxship.daemon.forms import read_generic_resources
from boxship.daemon.networks import network_settings
from boxship.daemon.plugins import active_plugins
from boxship.daemon.registries import registry_settings, without_secrets
from boxship.distribution.settings import Proxies
from boxship.engine.containers.cdi.registry import Registry, look
from boxship.engine.containers.runtimes import installed_stock
from boxship.engine.plugins.entry import PluginEntry
from boxship.engine.settings import BUILT_IN_RUNTIME, RuntimeProgram
from boxship.kernel.filesystems import tells_types
from boxship.model.debug import Variables
from boxship.wire.versions import read_oldest


class DaemonSystem:
    """Implements ``boxship.api.backend.System``; a reload replaces ``config``."""

    def __init__(
        self,
        config: DaemonConfig,
        host: HostFacts,
        *,
        maps_users: bool = False,
        storage_driver: str = "overlay2",
        warnings: Callable[[], tuple[str, ...]] = tuple,
        plugins: PluginEntry | None = None,
    ) -> None:
        """``warnings`` are the engine's own."""
        self._plugins = plugins
        self._maps_users = maps_users
        self._engine_warnings = warnings
        self._storage_driver = storage_driver
        self.config = config
        self.host = host
        self._id = engine_id(config.text("data-root"))

    @property
    def release(self) -> Release:
        config = self.config
        oldest = read_oldest(config.text("min-api-version"))
        return Release(__version__, experimental=config.flag("experimental"), oldest=oldest)

    @property
    def daemon(self) -> DaemonFacts:
        config = self.config
        mode = config.text("default-cgroupns-mode")
        registry = look(config.cdi_spec_dirs)
        registries = registry_settings(config)
        networks = network_settings(config)
        return DaemonFacts(
            id=self._id,
            version=__version__,
            data_root=config.text("data-root"),
            debug=config.flag("debug"),
            experimental=config.flag("experimental"),
            labels=config.words("labels"),
            log_driver=config.text("log-driver"),
            storage_driver=self._storage_driver,
            storage_status=self._storage_status,
            live_restore=config.flag("live-restore"),
            runtimes={
                name: RuntimeFacts(program.path, program.arguments)
                for name, program in _runtimes(config).items()
            },
            default_runtime=config.text("default-runtime"),
            private_cgroup_namespaces=mode == "private"
            or (not mode and self.host.cgroup_version == 2),
            cgroup_driver=config.cgroup_driver,
            maps_users=self._maps_users,
            registry_mirrors=registries.mirrors,
            insecure_registries=registries.insecure,
            seccomp_profile=config.text("seccomp-profile") or "builtin",
            no_new_privileges=config.flag("no-new-privileges"),
            cdi_spec_dirs=config.cdi_spec_dirs,
            devices=tuple(sorted(registry.devices)),
            firewall="nftables" if networks.iptables else "none",
            address_pools=tuple((pool.base, pool.size) for pool in networks.address_pools),
            host_gateway_ips=networks.host_gateway_ips,
            init_binary=os.path.basename(config.text("init-path")) or "boxship-init",
            generic_resources=tuple(read_generic_resources(config.words("node-generic-resources"))),
            proxies=_shown_proxies(registries.proxies),
            warnings=(
                *_warnings(config, self.host),
                *_device_warnings(registry),
                *(f"WARNING: {warning}" for warning in self._engine_warnings()),
            ),
            plugins=active_plugins(config, self._plugins),
        )

    def families(self) -> list[Family]:
        """Return what is measured of the daemon and its process."""
        return [self._engine_info(), *self._machine(), *process.families()]

    def variables(self) -> Variables:
        """Return what the process holds."""
        found: Variables = _debugging().variables()
        return found

    def stacks(self) -> str:
        """Return where each thread and task stands."""
        text: str = _debugging().stacks()
        return text

    async def profile(self, seconds: float) -> str:
        """Return where the time goes meanwhile, as folded stacks."""
        text: str = await _debugging().profile(seconds)
        return text

    def _engine_info(self) -> Family:
        host = self.host
        labels = {
            "version": __version__,
            "architecture": host.machine,
            "graphdriver": self._storage_driver,
            "kernel": host.kernel,
            "os": host.operating_system,
            "os_type": "linux",
            "daemon_id": self._id,
        }
        sample = Sample(tuple(labels.values()), 1)
        name = "engine_daemon_engine_info"
        return Family(name, "gauge", "The engine and its machine", tuple(labels), (sample,))

    def _machine(self) -> Iterator[Family]:
        yield gauge("engine_daemon_engine_cpus_cpus", "Processors", self.host.cpus)
        yield gauge("engine_daemon_engine_memory_bytes", "Memory of the machine", self.host.memory)

    @cached_property
    def _storage_status(self) -> tuple[tuple[str, str], ...]:
        if self._storage_driver != "overlay2":
            return ()
        root = self.config.text("data-root")
        with opened(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC) as directory:
            types = tells_types(directory)
        return (
            ("Backing Filesystem", _filesystem(root)),
            ("Supports d_type", _text(types)),
            # What layers are mounted with; see storage/rights.py.
            ("Using metacopy", _text(False)),
            ("Native Overlay Diff", _text(True)),
            ("userxattr", _text(_in_user_namespace())),
        )


def _debugging() -> ModuleType:
    from boxship.daemon import debugging  # noqa: PLC0415 - hardly any daemon is looked into

    return debugging


def _shown_proxies(proxies: Proxies) -> tuple[str, str, str]:
    return without_secrets(proxies.http), without_secrets(proxies.https), proxies.no_proxy


def _in_user_namespace() -> bool:
    """Tell whether our root is not the host's, and can't write overlayfs' usual marks."""
    with open("/proc/self/uid_map", encoding="ascii") as file:
        return file.read().split() != ["0", "0", str(2**32 - 1)]


def _text(truth: bool) -> str:
    return "true" if truth else "false"


def _runtimes(config: DaemonConfig) -> dict[str, RuntimeProgram]:
    built_in = {BUILT_IN_RUNTIME: RuntimeProgram("boxship-runtime")}
    return {**built_in, **installed_stock(), **config.runtimes}


def _device_warnings(registry: Registry) -> Iterator[str]:
    for path, problem in sorted(registry.problems.items()):
        yield f"CDI: Error associated with spec file {path}: {problem}"


def engine_id(data_root: str) -> str:
    """Return the identity of this data root, made when it is first used."""
    path = os.path.join(data_root, "engine-id")
    try:
        with open(path, encoding="ascii") as stream:
            return stream.read().strip()
    except FileNotFoundError:
        identity = str(uuid.uuid4())
        write_atomic(path, f"{identity}\n".encode(), mode=0o600)
        return identity


def _warnings(config: DaemonConfig, host: HostFacts) -> tuple[str, ...]:
    warnings = []
    for controller in ("memory", "cpu", "cpuset", "pids"):
        if controller not in host.controllers:
            warnings.append(f"WARNING: No {controller} limit support")
    if config.flag("allow-insecure-tcp"):
        warnings.append(
            "WARNING: API is accessible on the network without client certificates. "
            "Access to it is equivalent to root access on the host."
        )
    return tuple(warnings)


def _filesystem(path: str) -> str:
    """Return the type of the file system that holds ``path``, from the longest mount above it."""
    best, kind = "", "unknown"
    real = os.path.realpath(path)
    with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as stream:
        for line in stream:
            before, _, after = line.partition(" - ")
            mount = before.split(" ")[4]
            inside = mount in ("/", real) or real.startswith(f"{mount}/")
            if inside and len(mount) >= len(best):
                best, kind = mount, after.split(" ", 1)[0]
    return "extfs" if kind in ("ext2", "ext3", "ext4") else kind  # Docker's name for all of them
