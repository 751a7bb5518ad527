"""The daemon's parts, put together by hand in one place."""

import asyncio
import gc
import logging
from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, Self, cast

from boxship.api.application import Application
from boxship.api.authorization import Gate
from boxship.api.backend import Backend
from boxship.api.errors import answer_error
from boxship.api.headers import common
from boxship.api.http.server import Server
from boxship.base.clock import SystemClock
from boxship.base.errors import BoxshipError, InvalidArgumentError
from boxship.base.units import parse_decimal_bytes
from boxship.daemon import hostfacts, logs, reloading
from boxship.daemon.buildcache import build_cache_settings
from boxship.daemon.certificates import Certificates
from boxship.daemon.collectors import Collectors
from boxship.daemon.config import DaemonConfig, changed, load_config, unchanged
from boxship.daemon.listeners import Listener
from boxship.daemon.networks import network_settings
from boxship.daemon.notify import notify
from boxship.daemon.plugins import (
    check_log_driver,
    checked_judges,
    judges,
    judging,
    plugin_settings,
    with_judges,
)
from boxship.daemon.registries import registry_settings, transfer_limits
from boxship.daemon.remap import user_maps
from boxship.daemon.scoping import Scoping
from boxship.daemon.storageoptions import container_size
from boxship.daemon.system import DaemonSystem
from boxship.engine.engine import Engine
from boxship.engine.settings import EngineSettings, UserMaps
from boxship.model.container import LogConfig
from boxship.model.event import EventType

if TYPE_CHECKING:
    from boxship.daemon.diagnostics import Diagnostics

log = logging.getLogger(__name__)

_LAST_ANSWERS = 2.0
_LAST_ANSWERS_WHEN_REPLACED = 0.4
"""Less: the next daemon is waited for, and who waits for a container's end would wait on."""


class Daemon:
    """A running daemon."""

    def __init__(
        self,
        config: DaemonConfig,
        engine: Engine,
        system: DaemonSystem,
        servers: tuple[Server, ...],
        *,
        gate: Gate,
        certificates: Certificates,
        collectors: Collectors,
    ) -> None:
        self._gate = gate
        self._collectors = collectors
        self._certificates = certificates
        self._config = config
        self._engine = engine
        self._system = system
        self._servers = servers
        self._diagnostics: Diagnostics | None = None
        self._reloading = asyncio.Lock()
        self._reloads: set[asyncio.Task[None]] = set()
        self._diagnose()

    @classmethod
    async def start(cls, config: DaemonConfig, listeners: list[Listener]) -> Self:
        """Open the engine, serve on the listeners, and say so."""
        certificates = Certificates(config)
        settings = engine_settings(config, user_maps(config.text("userns-remap")))
        engine = await Engine.open(settings)
        system = DaemonSystem(
            config,
            hostfacts.look(),
            maps_users=settings.user_maps is not None,
            storage_driver=engine.storage_driver,
            warnings=lambda: engine.warnings,
            plugins=engine.plugins,
        )
        scoping = Scoping(engine, config.text("exec-root"))
        backend = Backend(
            containers=engine.containers,
            container_files=engine.container_files,
            images=engine.images,
            networks=engine.networks,
            registries=engine.registries,
            events=engine.events,
            system=system,
            clock=SystemClock(),
            checker=engine.checker,
            volumes=engine.volumes,
            volume_copies=engine.volume_copies,
            reasons=lambda: engine.reasons,
            metrics=lambda: engine.metrics,
            builds=lambda: engine.builds,
            uploads=lambda: engine.uploads,
            adoption=lambda: engine.adoption,
            managed=lambda: engine.managed,
            trash=engine.trash,
            access=lambda: scoping.access,
        )
        gate = Gate(scopes=lambda: scoping.entry(backend))
        try:
            await check_log_driver(config, engine.plugins)
            gate.judges = await checked_judges(config, engine.plugins)
        except InvalidArgumentError:
            await engine.close()
            raise
        engine.plugins.add_users(lambda name: judging(gate, name))
        application = Application(backend, gate)
        headers = common(experimental=config.flag("experimental"))
        server = Server(application.serve, answer_error, headers)
        measured = Server(application.serve_metrics, answer_error, headers)
        for listener in listeners:
            if listener.metrics:
                await measured.listen(listener.sock)
                log.info("metrics listen on %s", listener.name)
                continue
            await server.listen(listener.sock, certificates.of(listener), listener.entrance)
            log.info("API listen on %s", listener.name)
        await scoping.open(server)
        collectors = Collectors(measured, config.text("exec-root"))
        collectors.watch(engine.plugins)
        # What lives now lives as long as the daemon: the collector needn't look at it again.
        gc.collect()
        gc.freeze()
        notify("READY=1")
        log.info("Daemon has completed initialization")
        return cls(
            config,
            engine,
            system,
            (server, measured),
            gate=gate,
            certificates=certificates,
            collectors=collectors,
        )

    def write_stacks(self) -> None:
        """Write to the run directory where each thread and task stands."""
        from boxship.daemon import debugging  # noqa: PLC0415 - hardly any daemon is looked into

        try:
            path = debugging.write_stacks(self._config.text("exec-root"))
        except OSError as error:
            log.error("stacks not written: %s", error)  # noqa: TRY400 - a full disk, most often
        else:
            log.info("stacks written to %s", path)

    def reload(self, arguments: list[str]) -> None:
        """Read the configuration again; take over what can be changed, and say what was.

        In tasks, one after the other: plugins that are named anew are looked for.
        """
        task = asyncio.get_running_loop().create_task(self._reload(arguments))
        self._reloads.add(task)
        task.add_done_callback(self._reloads.discard)

    async def _reload(self, arguments: list[str]) -> None:
        async with self._reloading:
            notify("RELOADING=1")
            try:
                config = load_config(arguments)
            except InvalidArgumentError as error:
                log.error("configuration not reloaded: %s", error)  # noqa: TRY400 - a person's mistake
            else:
                self._take_over(await with_judges(config, self._config, self._engine.plugins))
            notify("READY=1")

    def _take_over(self, config: DaemonConfig) -> None:
        different = changed(self._config, config)
        waiting = unchanged(self._config, config)
        self._config = replace(self._config, values={**self._config.values, **different})
        self._system.config = self._config
        self._engine.reconfigure(engine_settings(self._config, self._engine.settings.user_maps))
        self._certificates.reload(self._config)
        self._gate.judges = judges(self._config, self._engine.plugins)
        logs.set_level(self._config.log_level)
        self._diagnose()
        log.info("Reloaded configuration: %s", reloading.told(different))
        if waiting:
            log.warning("Restart the daemon to change %s", ", ".join(waiting))
        shown = reloading.attributes(self._config)
        self._engine.events.publish(EventType.DAEMON, "reload", self._system.daemon.id, shown)

    def _diagnose(self) -> None:
        port = self._config.number("network-diagnostic-port")
        if port and self._diagnostics is None:
            module = import_module("boxship.daemon.diagnostics")
            self._diagnostics = cast("Diagnostics", module.Diagnostics(self._engine.networks))
        if self._diagnostics is not None:
            self._diagnostics.listen(port)

    async def stop(self, *, leave_containers: bool = False) -> None:
        """Stop orderly: no new clients, containers, answers, engine."""
        notify("STOPPING=1")
        for server in self._servers:
            server.stop_accepting()
        for reload in self._reloads:
            reload.cancel()
        await self._collectors.close()
        leaves = leave_containers or self._config.flag("live-restore")
        if not leaves:
            await self._stop_containers()
        grace = _LAST_ANSWERS_WHEN_REPLACED if leaves else _LAST_ANSWERS
        await asyncio.gather(*(server.close(grace) for server in self._servers))
        if self._diagnostics is not None:
            await self._diagnostics.close()
        await self._engine.close()
        log.info("Daemon shutdown complete")

    async def _stop_containers(self) -> None:
        """Ask every container to end, all at once; ``shutdown-timeout`` bounds the wait."""
        bound = self._config.number("shutdown-timeout")
        try:
            async with asyncio.timeout(None if bound < 0 else bound + _LAST_ANSWERS):
                await self._engine.stop_containers(at_most=bound)
        except TimeoutError:
            log.warning("containers still run after %s seconds; they are left alone", bound)
        except BoxshipError as error:
            log.warning("could not stop every container: %s", error)


def engine_settings(config: DaemonConfig, maps: UserMaps | None) -> EngineSettings:
    """Translate the configuration into what the engine is told. ``maps``: of ``userns-remap``."""
    defaults = EngineSettings()
    profile = config.text("seccomp-profile")
    return EngineSettings(
        data_root=config.text("data-root"),
        exec_root=config.text("exec-root"),
        cgroup_parent=config.text("cgroup-parent") or defaults.cgroup_parent,
        systemd_cgroups=config.cgroup_driver == "systemd",
        cpu_rt_period=config.number("cpu-rt-period"),
        cpu_rt_runtime=config.number("cpu-rt-runtime"),
        cgroup_namespace_mode=config.text("default-cgroupns-mode"),
        ipc_mode=config.text("default-ipc-mode"),
        default_shm_size=config.number("default-shm-size"),
        default_ulimits=config.default_ulimits,
        log_budget=parse_decimal_bytes(config.text("log-budget") or "0"),
        log_config=LogConfig(
            type=config.text("log-driver"),
            config={key: str(value) for key, value in config.mapping("log-opts").items()},
        ),
        stop_timeout=config.number("default-stop-timeout"),
        init=config.flag("init"),
        init_path=config.text("init-path"),
        no_new_privileges=config.flag("no-new-privileges"),
        seccomp_profile="" if profile == "builtin" else profile,
        runtime=config.text("default-runtime"),
        runtimes=config.runtimes,
        cdi_spec_dirs=config.cdi_spec_dirs,
        dns=config.words("dns"),
        dns_options=config.words("dns-opts"),
        dns_search=config.words("dns-search"),
        user_maps=maps,
        storage_driver=config.text("storage-driver"),
        container_size=container_size(config),
        networks=network_settings(config),
        build_cache=build_cache_settings(config),
        plugins=plugin_settings(config),
        trash_retention_ns=config.trash_retention_ns,
        live_restore=config.flag("live-restore"),
        registries=registry_settings(config),
        transfers=transfer_limits(config),
        keep_blobs=config.feature("keep-blobs", default=False),
    )
