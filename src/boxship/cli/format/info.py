"""``GET /info`` as text."""

from collections.abc import Iterator
from typing import Any

from boxship.cli.format.sizes import binary_size

Json = dict[str, Any]


def info_lines(info: Json) -> Iterator[str]:
    """The server's part, one line each."""
    yield from _counts(info)
    yield from _storage(info)
    yield from _facilities(info)
    yield from _security(info)
    yield from _machine(info)
    yield from _daemon(info)


def _plain(info: Json, *rows: tuple[str, str]) -> Iterator[str]:
    """``Label: value`` for each field that has a value."""
    for label, field in rows:
        value = info.get(field)
        if value not in (None, ""):
            yield f" {label}: {_text(value)}"


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _counts(info: Json) -> Iterator[str]:
    yield f" Containers: {info.get('Containers', 0)}"
    for state in ("Running", "Paused", "Stopped"):
        yield f"  {state}: {info.get(f'Containers{state}', 0)}"
    yield from _plain(info, ("Images", "Images"), ("Server Version", "ServerVersion"))


def _storage(info: Json) -> Iterator[str]:
    yield from _plain(info, ("Storage Driver", "Driver"))
    for name, value in info.get("DriverStatus") or ():
        yield f"  {name}: {value}"
    yield from _plain(
        info,
        ("Logging Driver", "LoggingDriver"),
        ("Cgroup Driver", "CgroupDriver"),
        ("Cgroup Version", "CgroupVersion"),
    )


def _facilities(info: Json) -> Iterator[str]:
    plugins = info.get("Plugins") or {}
    yield " Plugins:"
    for kind in ("Volume", "Network", "Authorization", "Log"):
        if plugins.get(kind) or kind != "Authorization":
            yield f"  {kind}: {' '.join(plugins.get(kind) or ())}"
    if info.get("CDISpecDirs"):
        yield " CDI spec directories:"
        yield from (f"  {directory}" for directory in info["CDISpecDirs"])
    if info.get("DiscoveredDevices"):
        yield " Discovered Devices:"
        yield from (f"  {each['Source']}: {each['ID']}" for each in info["DiscoveredDevices"])
    swarm = info.get("Swarm") or {}
    yield f" Swarm: {swarm.get('LocalNodeState') or 'inactive'}"
    runtimes = info.get("Runtimes")
    if runtimes:
        yield f" Runtimes: {' '.join(sorted(runtimes))}"
        yield f" Default Runtime: {info.get('DefaultRuntime', '')}"
    if info.get("InitBinary"):
        yield f" Init Binary: {info['InitBinary']}"
    rows = (("containerd", "ContainerdCommit"), ("runc", "RuncCommit"), ("init", "InitCommit"))
    for name, field in rows:
        commit = info.get(field) or {}
        if commit.get("ID"):
            yield f" {name} version: {commit['ID']}"


def _security(info: Json) -> Iterator[str]:
    options = info.get("SecurityOptions")
    if not options:
        return
    yield " Security Options:"
    for option in options:
        pairs = [part.partition("=") for part in option.split(",")]
        named = [(key, value) for key, separator, value in pairs if separator]
        if not named:
            yield f"  {option}"
            continue
        for key, value in named:
            yield f"  {value}" if key == "name" else f"   {key.capitalize()}: {value}"


def _machine(info: Json) -> Iterator[str]:
    yield from _plain(
        info,
        ("Kernel Version", "KernelVersion"),
        ("Operating System", "OperatingSystem"),
        ("OSType", "OSType"),
        ("Architecture", "Architecture"),
        ("CPUs", "NCPU"),
    )
    yield f" Total Memory: {binary_size(info.get('MemTotal', 0))}"
    yield from _plain(info, ("Name", "Name"), ("ID", "ID"), ("Docker Root Dir", "DockerRootDir"))


def _daemon(info: Json) -> Iterator[str]:
    yield f" Debug Mode: {_text(bool(info.get('Debug')))}"
    if info.get("Debug"):
        yield f"  File Descriptors: {info.get('NFd', 0)}"
        yield f"  Goroutines: {info.get('NGoroutines', 0)}"
        yield f"  System Time: {info.get('SystemTime', '')}"
        yield f"  EventsListeners: {info.get('NEventsListener', 0)}"
    yield from _plain(
        info, ("HTTP Proxy", "HttpProxy"), ("HTTPS Proxy", "HttpsProxy"), ("No Proxy", "NoProxy")
    )
    if info.get("Labels"):
        yield " Labels:"
        yield from (f"  {label}" for label in info["Labels"])
    yield f" Experimental: {_text(bool(info.get('ExperimentalBuild')))}"
    yield from _registries(info.get("RegistryConfig") or {})
    yield f" Live Restore Enabled: {_text(bool(info.get('LiveRestoreEnabled')))}"
    if info.get("ProductLicense"):
        yield f" Product License: {info['ProductLicense']}"
    for pool in info.get("DefaultAddressPools") or ():
        yield f" Default Address Pools: {pool.get('Base')}/{pool.get('Size')}"


def _registries(config: Json) -> Iterator[str]:
    indexes = config.get("IndexConfigs") or {}
    insecure = [name for name, index in sorted(indexes.items()) if not index.get("Secure", True)]
    insecure += config.get("InsecureRegistryCIDRs") or ()
    if insecure:
        yield " Insecure Registries:"
        yield from (f"  {entry}" for entry in insecure)
    if config.get("Mirrors"):
        yield " Registry Mirrors:"
        yield from (f"  {mirror}" for mirror in config["Mirrors"])
