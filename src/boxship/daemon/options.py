"""Everything that can be configured: one table for flags, ``daemon.json``, help and reload.

Names, defaults and forms are dockerd's, but for the few that it lacks. An option that has no effect
here (yet) is accepted all the same, because daemons are started by scripts and test benches that
pass it; it is told at start-up.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto

Value = bool | int | str | tuple[str, ...] | dict[str, object] | None

DEFAULT_CONFIG_FILE = "/etc/boxship/daemon.json"
DEFAULT_CDI_DIRECTORIES = ("/etc/cdi", "/var/run/cdi")
DEFAULT_PLUGIN_DIRECTORIES = (
    "/run/boxship/plugins",
    "/etc/boxship/plugins",
    "/usr/lib/boxship/plugins",
    "/run/docker/plugins",
    "/etc/docker/plugins",
    "/usr/lib/docker/plugins",
)
DEFAULT_HOST = "unix:///run/boxship/boxship.sock"


class Kind(Enum):
    """The form of a value: on the command line, and in JSON."""

    FLAG = auto()
    NUMBER = auto()
    TEXT = auto()
    SIZE = auto()
    LIST = auto()
    MAP = auto()
    """``key=value`` on the command line, an object in JSON."""
    MAPS = auto()
    """``name=key=value`` on the command line, an object of objects in JSON."""
    POOLS = auto()
    """``base=CIDR,size=number`` on the command line, a list of such objects in JSON."""
    TREE = auto()
    """An object of any depth, in JSON alone."""
    OBJECT = auto()
    """JSON alone, or a flag whose value isn't looked at."""


@dataclass(frozen=True, slots=True, eq=False)
class Option:
    """``key`` is the name in JSON (empty: command line only), ``flag`` without dashes likewise."""

    key: str
    flag: str
    kind: Kind
    default: Value
    help: str
    short: str = ""
    effect: bool = True
    reload: bool = False

    @property
    def name(self) -> str:
        return self.key or self.flag


def _flag(key: str, help_text: str, short: str = "", *, default: bool = False) -> Option:
    return Option(key, key, Kind.FLAG, default, help_text, short)


def _text(key: str, default: str, help_text: str, short: str = "") -> Option:
    return Option(key, key, Kind.TEXT, default, help_text, short)


def _list(key: str, flag: str, help_text: str, short: str = "") -> Option:
    return Option(key, flag, Kind.LIST, (), help_text, short)


_NETWORKS: tuple[Option, ...] = (
    _text("bridge", "", 'Existing bridge as the default network, or "none"', "b"),
    _text("bip", "", "IPv4 address of the default bridge, with its subnet: 172.17.0.1/16"),
    _text("bip6", "", "IPv6 address of the default bridge, with its subnet"),
    _text("fixed-cidr", "", "IPv4 range that containers on the default bridge get addresses of"),
    _text("fixed-cidr-v6", "", "IPv6 range that containers on the default bridge get addresses of"),
    _text("default-gateway", "", "IPv4 gateway of containers on the default bridge"),
    _text("default-gateway-v6", "", "IPv6 gateway of containers on the default bridge"),
    _flag("ipv6", "Enable IPv6 on the default bridge"),
    Option("mtu", "mtu", Kind.NUMBER, 0, "MTU of the default bridge (default 1500)"),
    _flag("icc", "Let containers on the default bridge reach one another", default=True),
    _flag("ip-masq", "Masquerade what leaves the default bridge", default=True),
    _text("ip", "", "Address of the host for ports published from the default bridge"),
    _list("host-gateway-ips", "host-gateway-ip", "What host-gateway means in --add-host"),
    Option("host-gateway-ip", "", Kind.TEXT, "", "Older name of host-gateway-ips"),
    Option(
        "default-address-pools", "default-address-pool", Kind.POOLS, (),
        "Where subnets of networks come from: base=10.10.0.0/16,size=24",
    ),
    Option(
        "default-network-opts", "default-network-opt", Kind.MAPS, {},
        "Default options of networks by driver: bridge=com.docker.network.driver.mtu=1400",
    ),
    _flag("ip-forward", "Have the host forward packets", default=True),
    _flag(
        "ip-forward-no-drop",
        "Forward for others, too, where this daemon switched forwarding on",
    ),
    _flag("iptables", "Make firewall rules, for both families", default=True),
    _text("firewall-backend", "", 'Always "nftables", which iptables\' own rules go along with'),
    _text("firewall", "respect", "Host's firewall and published ports: \"respect\" or \"bypass\""),
)  # fmt: skip

_USED: tuple[Option, ...] = (
    _list("hosts", "host", f"Socket(s) to listen on (default {DEFAULT_HOST})", "H"),
    _text("data-root", "/var/lib/boxship", "Root directory of persistent state"),
    _text("exec-root", "/run/boxship", "Root directory of execution state"),
    _text("pidfile", "/run/boxship/boxshipd.pid", "File for the daemon's process id", "p"),
    Option("debug", "debug", Kind.FLAG, False, "Enable debug mode", "D", reload=True),
    Option(
        "log-level", "log-level", Kind.TEXT, "info",
        'Logging level ("debug"|"info"|"warn"|"error"|"fatal")', "l", reload=True,
    ),
    _text("log-format", "text", 'Logging format ("text"|"json")'),
    _text("group", "docker", "Group of the unix socket", "G"),
    _flag("experimental", "Enable what Docker calls experimental: checkpoints"),
    _flag("tls", "Use TLS; implied by --tlsverify"),
    _flag("tlsverify", "Use TLS and demand client certificates"),
    _text("tlscacert", "", "Trust certificates signed by this CA alone"),
    _text("tlscert", "", "TLS certificate of the server"),
    _text("tlskey", "", "TLS key of the server"),
    _flag("allow-insecure-tcp", "Listen on TCP beyond this machine without client certificates"),
    Option("labels", "label", Kind.LIST, (), "key=value labels of the daemon", reload=True),
    Option(
        "live-restore", "live-restore", Kind.FLAG, False,
        "Let containers run on when the daemon stops", reload=True,
    ),
    Option(
        "shutdown-timeout", "shutdown-timeout", Kind.NUMBER, 15,
        "Seconds for containers to stop when the daemon does", reload=True,
    ),
    Option("builder", "", Kind.TREE, {}, "How much of builds' cache is kept (gc)"),
    Option(
        "trash-retention", "trash-retention", Kind.TEXT, "0",
        "How long what is removed can be restored, as 24h (0: not at all)", reload=True,
    ),
    Option(
        "default-stop-timeout", "default-stop-timeout", Kind.NUMBER, 10,
        "Seconds between a container's stop signal and its end",
    ),
    _list("exec-opts", "exec-opt", "native.cgroupdriver=cgroupfs or systemd"),
    Option("cpu-rt-period", "cpu-rt-period", Kind.NUMBER, 0, "Real-time period, microseconds"),
    Option("cpu-rt-runtime", "cpu-rt-runtime", Kind.NUMBER, 0, "Real-time share of that period"),
    _text("cgroup-parent", "", "Parent cgroup of all containers"),
    Option("default-ulimits", "default-ulimit", Kind.MAP, {}, "Default ulimits of containers"),
    Option("default-shm-size", "default-shm-size", Kind.SIZE, 64 << 20, "Default size of /dev/shm"),
    _text("default-cgroupns-mode", "", '"host" or "private" (default: by cgroup version)'),
    _text("default-ipc-mode", "private", '"private" or "shareable"'),
    _flag("init", "Run an init in containers that forwards signals and reaps processes"),
    _flag("no-new-privileges", "Set no-new-privileges by default"),
    Option(
        "cdi-spec-dirs", "cdi-spec-dir", Kind.LIST, DEFAULT_CDI_DIRECTORIES,
        "Directories where devices are described for CDI",
    ),
    Option(
        "plugin-dirs", "plugin-dir", Kind.LIST, DEFAULT_PLUGIN_DIRECTORIES,
        "Directories with sockets and spec files of plugins",
    ),
    Option(
        "plugin-timeout", "plugin-timeout", Kind.NUMBER, 120,
        "Seconds for a plugin to do what it is asked",
    ),
    Option(
        "features", "feature", Kind.MAP, {},
        "Switch a feature on or off: cdi=false, keep-blobs=true",
    ),
    _text("seccomp-profile", "builtin", 'Path of a seccomp profile, or "unconfined"'),
    _text("log-driver", "json-file", "Default driver of container logs"),
    Option("log-opts", "log-opt", Kind.MAP, {}, "Default options of the log driver"),
    _text("userns-remap", "", 'Map users of containers: "default", user[:group] or uid[:gid]'),
    _text("storage-driver", "", 'Storage driver ("overlay2"|"vfs")', "s"),
    *_NETWORKS,
    _list("dns", "dns", "DNS servers of containers"),
    _list("dns-opts", "dns-opt", "DNS options of containers"),
    _list("dns-search", "dns-search", "DNS search domains of containers"),
    Option(
        "default-runtime", "default-runtime", Kind.TEXT, "boxship", "Runtime of containers",
        reload=True,
    ),
    Option(
        "runtimes", "add-runtime", Kind.MAP, {}, "OCI runtime of containers: name=path",
        reload=True,
    ),
    Option(
        "registry-mirrors", "registry-mirror", Kind.LIST, (), "Mirrors of Docker Hub", reload=True
    ),
    Option(
        "insecure-registries", "insecure-registry", Kind.LIST, (),
        "Registries without TLS or with any certificate: host[:port] or CIDR block", reload=True,
    ),
    Option(
        "max-concurrent-downloads", "max-concurrent-downloads", Kind.NUMBER, 3,
        "Layers downloaded at once", reload=True,
    ),
    Option(
        "max-concurrent-uploads", "max-concurrent-uploads", Kind.NUMBER, 5,
        "Layers uploaded at once", reload=True,
    ),
    Option(
        "max-download-attempts", "max-download-attempts", Kind.NUMBER, 5,
        "Attempts for each download", reload=True,
    ),
    Option(
        "registry-connect-timeout", "registry-connect-timeout", Kind.NUMBER, 15,
        "Seconds for a registry to take a connection", reload=True,
    ),
    Option(
        "registry-read-timeout", "registry-read-timeout", Kind.NUMBER, 60,
        "Seconds a registry may stay silent within an answer", reload=True,
    ),
    Option("proxies", "", Kind.MAP, {}, "Proxies for registries: http-proxy, https-proxy…"),
    Option("", "http-proxy", Kind.TEXT, "", "Proxy for http registries"),
    Option("", "https-proxy", Kind.TEXT, "", "Proxy for https registries"),
    Option("", "no-proxy", Kind.TEXT, "", "Hosts and networks without proxy, comma-separated"),
    Option("", "config-file", Kind.TEXT, DEFAULT_CONFIG_FILE, "Configuration file"),
    Option("", "validate", Kind.FLAG, False, "Check the configuration and exit"),
    Option("", "version", Kind.FLAG, False, "Print the version and exit", "v"),
    Option("", "help", Kind.FLAG, False, "Print this and exit", "h"),
)  # fmt: skip

# Key, flag (empty: as the key; "-": none), kind. Their defaults never matter.
_WITHOUT_EFFECT: tuple[tuple[str, str, Kind], ...] = (
    ("allow-direct-routing", "", Kind.FLAG),
    ("allow-nondistributable-artifacts", "", Kind.LIST),
    ("authorization-plugins", "authorization-plugin", Kind.LIST),
    ("bridge-accept-fwmark", "", Kind.TEXT),
    ("containerd", "", Kind.TEXT),
    ("containerd-namespace", "", Kind.TEXT),
    ("containerd-plugin-namespace", "containerd-plugins-namespace", Kind.TEXT),
    ("cri-containerd", "", Kind.FLAG),
    ("deprecated-key-path", "-", Kind.TEXT),
    ("init-path", "", Kind.TEXT),
    ("ip6tables", "", Kind.FLAG),
    ("metrics-addr", "", Kind.TEXT),
    ("min-api-version", "-", Kind.TEXT),
    ("network-control-plane-mtu", "", Kind.NUMBER),
    ("network-diagnostic-port", "", Kind.NUMBER),
    ("node-generic-resources", "node-generic-resource", Kind.LIST),
    ("nri-opts", "", Kind.OBJECT),
    ("raw-logs", "", Kind.FLAG),
    ("rootless", "", Kind.FLAG),
    ("selinux-enabled", "", Kind.FLAG),
    ("storage-opts", "storage-opt", Kind.LIST),
    ("swarm-default-advertise-addr", "", Kind.TEXT),
    ("userland-proxy", "", Kind.FLAG),
    ("userland-proxy-path", "", Kind.TEXT),
    ("", "restart", Kind.FLAG),
)

OPTIONS: tuple[Option, ...] = _USED + tuple(
    Option(key, "" if flag == "-" else flag or key, kind, None, "Accepted, no effect", effect=False)
    for key, flag, kind in _WITHOUT_EFFECT
)

BY_KEY = {option.key: option for option in OPTIONS if option.key}
BY_FLAG = {option.flag: option for option in OPTIONS if option.flag}
BY_SHORT = {option.short: option for option in OPTIONS if option.short}


def usage(options: Sequence[Option] = OPTIONS) -> str:
    """Return the help text: the options that have an effect, by flag."""
    lines = ["Usage:  boxshipd [OPTIONS]", "", "The Boxship daemon.", "", "Options:"]
    for option in sorted(options, key=lambda o: o.flag):
        if not option.effect or not option.flag:
            continue
        short = f"-{option.short}, " if option.short else "    "
        value = "" if option.kind is Kind.FLAG else f" {option.kind.name.lower()}"
        lines.append(f"  {short}--{option.flag + value:33} {option.help}")
    return "\n".join(lines) + "\n"
