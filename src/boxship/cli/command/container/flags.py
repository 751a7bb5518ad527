"""The flags of ``create`` and ``run``.

One row each; ``settings.py`` says which field of the request a plain one sets, ``request.py`` does
the others.
"""

from collections.abc import Callable, Sequence
from typing import Any

from boxship.cli import kinds
from boxship.cli.flags import Flag, Kind
from boxship.cli.syntax import devices, environment, limits, mounts, networks

_STREAMS = ("stdin", "stdout", "stderr")


def _stream(text: str) -> str:
    if text.lower() not in _STREAMS:
        raise ValueError("valid streams are STDIN, STDOUT and STDERR")
    return text.lower()


_SYSCTL_PREFIXES = ("net.", "fs.mqueue.")
_SYSCTLS = frozenset(
    f"kernel.{name}"
    for name in (
        "msgmax",
        "msgmnb",
        "msgmni",
        "sem",
        "shmall",
        "shmmax",
        "shmmni",
        "shm_rmid_forced",
    )
)


def _sysctl(text: str) -> str:
    name, separator, _ = text.partition("=")
    if not separator or not (name in _SYSCTLS or name.startswith(_SYSCTL_PREFIXES)):
        raise ValueError(f"sysctl '{text}' is not allowed")
    return text


def _several(parse: Callable[[str], Any], label: str = "list") -> Kind:
    return Kind(label, parse, (), repeats=True)


_STREAM = _several(_stream)
_MOUNT = _several(mounts.parse_mount, "mount")
NETWORK_SPEC = _several(networks.parse_network, "network")
_ENV = _several(environment.check_env)
LABEL = _several(environment.check_label)
_ULIMIT = _several(limits.parse_ulimit, "ulimit")
_BYTES_RATE = _several(limits.parse_bytes_rate)
_OPERATIONS_RATE = _several(limits.parse_operations_rate)
_SYSCTL = _several(_sysctl, "map")
_GPUS = _several(devices.parse_gpus, "gpu-request")

_PROCESS = (
    Flag("entrypoint", "", kinds.STRING, "Program to run instead of the image's entry point"),
    Flag("env", "e", _ENV, "Set NAME=value, or NAME to pass on ours"),
    Flag("env-file", "", kinds.LIST, "Set the variables listed in a file"),
    Flag("group-add", "", kinds.LIST, "Join one more group"),
    Flag("init", "", kinds.BOOL, "Run a small init that passes on signals and reaps children"),
    Flag("stop-signal", "", kinds.STRING, "Signal that asks the container to end"),
    Flag("stop-timeout", "", kinds.INT, "Seconds between that signal and SIGKILL"),
    Flag("ulimit", "", _ULIMIT, "Resource limit as name=soft[:hard]"),
    Flag("user", "u", kinds.STRING, "User (and group) by name or number: user[:group]"),
    Flag("workdir", "w", kinds.STRING, "Directory to start in"),
)

_TERMINAL = (
    Flag("attach", "a", _STREAM, "Connect STDIN, STDOUT or STDERR only"),
    Flag("interactive", "i", kinds.BOOL, "Keep standard input open"),
    Flag("tty", "t", kinds.BOOL, "Give it a terminal"),
)

_IDENTITY = (
    Flag("annotation", "", kinds.MAP, "Add an annotation for the OCI runtime"),
    Flag("cidfile", "", kinds.STRING, "Write the container's ID to a file that does not exist yet"),
    Flag("domainname", "", kinds.STRING, "NIS domain name inside"),
    Flag("hostname", "h", kinds.STRING, "Host name inside"),
    Flag("label", "l", LABEL, "Label as key=value"),
    Flag("label-file", "", kinds.LIST, "Labels listed in a file"),
    Flag("name", "", kinds.STRING, "Name of the container"),
    Flag("platform", "", kinds.STRING, "Platform of the image, as linux/amd64"),
    Flag("pull", "", kinds.STRING, "When to pull: always, missing or never", default="missing"),
    Flag("quiet", "q", kinds.BOOL, "Do not show the progress of a pull"),
    Flag(
        "restart",
        "",
        kinds.STRING,
        "no, on-failure[:n], on-unhealthy[:n], always, unless-stopped",
        "no",
    ),
    Flag("rm", "", kinds.BOOL, "Remove it and its anonymous volumes when it ends"),
    Flag("runtime", "", kinds.STRING, "Runtime to use"),
)

_FILES = (
    Flag("mount", "", _MOUNT, "Mount as type=bind|volume|tmpfs|image,src=…,dst=…"),
    Flag("read-only", "", kinds.BOOL, "Make the root file system read-only"),
    Flag("shm-size", "", kinds.BYTES, "Size of /dev/shm"),
    Flag("storage-opt", "", kinds.LIST, "Option of the storage driver"),
    Flag("tmpfs", "", kinds.LIST, "Mount an empty tmpfs: path[:options]"),
    Flag("use-api-socket", "", kinds.BOOL, "Mount the daemon's socket", hidden=True),
    Flag("volume", "v", kinds.LIST, "Mount source:path[:ro|rw|…]"),
    Flag("volume-driver", "", kinds.STRING, "Driver of the volumes"),
    Flag("volumes-from", "", kinds.LIST, "Mount what another container has mounted"),
)

_LIMITS = (
    Flag("blkio-weight", "", kinds.UINT16, "Share of block I/O, 10 to 1000; 0 for none"),
    Flag(
        "blkio-weight-device",
        "",
        _several(limits.parse_weight),
        "Share of one device's I/O: device:weight",
    ),
    Flag("cgroup-parent", "", kinds.STRING, "Cgroup to be below of"),
    Flag("cpu-count", "", kinds.INT64, "Number of CPUs (Windows)", hidden=True),
    Flag("cpu-percent", "", kinds.INT64, "Percentage of CPU (Windows)", hidden=True),
    Flag("cpu-period", "", kinds.INT64, "CFS period in microseconds"),
    Flag("cpu-quota", "", kinds.INT64, "CFS quota in microseconds per period"),
    Flag("cpu-rt-period", "", kinds.INT64, "Real-time period in microseconds"),
    Flag("cpu-rt-runtime", "", kinds.INT64, "Real-time share in microseconds per period"),
    Flag("cpu-shares", "c", kinds.INT64, "Share of CPU time beside others; 1024 is usual"),
    Flag("cpus", "", kinds.CPUS, "At most as many CPUs, as 1.5"),
    Flag("cpuset-cpus", "", kinds.STRING, "Only these CPUs, as 0-3 or 0,1"),
    Flag("cpuset-mems", "", kinds.STRING, "Only these memory nodes"),
    Flag("device-read-bps", "", _BYTES_RATE, "Limit reading: device:bytes per second"),
    Flag("device-read-iops", "", _OPERATIONS_RATE, "Limit reading: device:operations per second"),
    Flag("device-write-bps", "", _BYTES_RATE, "Limit writing: device:bytes per second"),
    Flag("device-write-iops", "", _OPERATIONS_RATE, "Limit writing: device:operations per second"),
    Flag("io-maxbandwidth", "", kinds.BYTES, "System drive limit (Windows)", hidden=True),
    Flag("io-maxiops", "", kinds.UINT64, "System drive limit (Windows)", hidden=True),
    Flag("kernel-memory", "", kinds.BYTES, "Obsolete", hidden=True),
    Flag("memory", "m", kinds.BYTES, "At most as much memory, as 512m"),
    Flag("memory-reservation", "", kinds.BYTES, "Memory to shrink to when the host runs short"),
    Flag("memory-swap", "", kinds.SWAP, "Memory and swap together; -1 for no limit on swap"),
    Flag("memory-swappiness", "", kinds.INT64, "Readiness to swap, 0 to 100", default=-1),
    Flag("oom-kill-disable", "", kinds.BOOL, "Do not kill when memory runs out"),
    Flag("oom-score-adj", "", kinds.INT, "Likelihood of being killed, -1000 to 1000"),
    Flag("pids-limit", "", kinds.INT64, "At most as many processes; -1 for no limit"),
)

_RIGHTS = (
    Flag("cap-add", "", kinds.LIST, "Add a capability, or ALL"),
    Flag("cap-drop", "", kinds.LIST, "Take a capability away, or ALL"),
    Flag("device", "", kinds.LIST, "Give a device: path[:path inside][:rwm]"),
    Flag("device-cgroup-rule", "", _several(devices.check_rule), "Allow devices, as 'c 42:* rwm'"),
    Flag("gpus", "", _GPUS, "GPUs to give; all for all of them"),
    Flag("privileged", "", kinds.BOOL, "Give every capability and device"),
    Flag("security-opt", "", kinds.LIST, "no-new-privileges, seccomp=FILE, label=…, …"),
    Flag("sysctl", "", _SYSCTL, "Kernel setting as key=value"),
)

_NAMESPACES = (
    Flag("cgroupns", "", kinds.STRING, "Cgroup namespace: host or private"),
    Flag("ipc", "", kinds.STRING, "IPC namespace: private, shareable, host, none, container:NAME"),
    Flag("isolation", "", kinds.STRING, "Isolation (Windows)", hidden=True),
    Flag("pid", "", kinds.STRING, "PID namespace: host or container:NAME"),
    Flag("userns", "", kinds.STRING, "User namespace: host"),
    Flag("uts", "", kinds.STRING, "UTS namespace: host"),
)

_NETWORK = (
    Flag(
        "add-host",
        "",
        _several(networks.parse_extra_host),
        "One more line for /etc/hosts: name:address",
    ),
    Flag("dns", "", _several(networks.check_address), "DNS server"),
    Flag("dns-option", "", kinds.LIST, "DNS option"),
    Flag("dns-opt", "", kinds.LIST, "DNS option", hidden=True, target="dns-option"),
    Flag("dns-search", "", kinds.LIST, "DNS search domain"),
    Flag(
        "egress",
        "",
        kinds.LIST,
        "Where it may connect to: deny, allow, or allow=|deny=NETWORK|NAME[:port][/protocol]",
    ),
    Flag("expose", "", kinds.LIST, "Tell that it listens on port[/protocol]"),
    Flag("ip", "", kinds.STRING, "IPv4 address"),
    Flag("ip6", "", kinds.STRING, "IPv6 address"),
    Flag("link", "", kinds.LIST, "Link to another container"),
    Flag("link-local-ip", "", kinds.LIST, "Link-local address"),
    Flag("mac-address", "", kinds.STRING, "MAC address, as 92:d0:c6:0a:29:33"),
    Flag("network", "", NETWORK_SPEC, "Network: a name, none, host, container:NAME"),
    Flag("net", "", NETWORK_SPEC, "The same as --network", hidden=True, target="network"),
    Flag("network-alias", "", kinds.LIST, "One more name on that network"),
    Flag("net-alias", "", kinds.LIST, "", hidden=True, target="network-alias"),
    Flag("publish", "p", kinds.LIST, "Publish [[address:]host port:]port[/protocol][,source=CIDR]"),
    Flag("publish-all", "P", kinds.BOOL, "Publish every exposed port on a free one"),
)

_HEALTH = (
    Flag("health-cmd", "", kinds.STRING, "Command that tells whether it is healthy"),
    Flag("health-grpc", "", kinds.STRING, "Health service, as :50051 or :50051/service"),
    Flag("health-http", "", kinds.STRING, "What answers a GET when healthy, as :80/path"),
    Flag("health-interval", "", kinds.DURATION, "Time between two checks, as 30s"),
    Flag("health-retries", "", kinds.INT, "Failures in a row until it counts as unhealthy"),
    Flag("health-start-interval", "", kinds.DURATION, "Time between checks while it starts"),
    Flag("health-start-period", "", kinds.DURATION, "Time to start before failures count"),
    Flag("health-tcp", "", kinds.STRING, "What takes connections when healthy, as :5432"),
    Flag("health-timeout", "", kinds.DURATION, "Longest time one check may take"),
    Flag("no-healthcheck", "", kinds.BOOL, "Do not use the image's health check"),
)

_LOGGING = (
    Flag("log-driver", "", kinds.STRING, "Where its output is kept, as json-file"),
    Flag("log-opt", "", kinds.LIST, "Option of the log driver, as max-size=10m"),
)

_OBSOLETE = (
    Flag("disable-content-trust", "", kinds.BOOL, "Has no effect", default=True, hidden=True),
)


def sorted_by_name(*tables: Sequence[Flag]) -> tuple[Flag, ...]:
    return tuple(sorted((flag for table in tables for flag in table), key=lambda flag: flag.name))


CREATE_FLAGS = sorted_by_name(
    _PROCESS,
    _TERMINAL,
    _IDENTITY,
    _FILES,
    _LIMITS,
    _RIGHTS,
    _NAMESPACES,
    _NETWORK,
    _HEALTH,
    _LOGGING,
    _OBSOLETE,
)
