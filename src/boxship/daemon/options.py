"""Everything that can be configured: one table for flags, ``daemon.json``, help and reload.

Names, defaults and forms are dockerd's, but for the few that it lacks. Those about networks are in
``networkoptions``, those that have no effect here in ``idleoptions``.
"""

from collections.abc import Sequence

from boxship.daemon import forms
from boxship.daemon.idleoptions import IDLE_OPTIONS
from boxship.daemon.networkoptions import NETWORK_OPTIONS
from boxship.daemon.option import Kind, Option, flag, number, text, words
from boxship.engine.containers.logdrivers.names import KNOWN

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

_LEVELS = ("trace", "debug", "info", "warn", "error", "fatal", "panic")
_STORAGE_DRIVERS = ("", "overlay2", "overlay", "overlayfs", "vfs")
_POSITIVE = forms.at_least(1)

_DAEMON: tuple[Option, ...] = (
    words(
        "hosts", "host", f"Socket(s) to listen on (default {DEFAULT_HOST})", "H",
        check=forms.hosts,
    ),
    text("data-root", "/var/lib/boxship", "Root directory of persistent state"),
    text("exec-root", "/run/boxship", "Root directory of execution state"),
    text("pidfile", "/run/boxship/boxshipd.pid", "File for the daemon's process id", "p"),
    flag("debug", "Enable debug mode", "D", reload=True),
    text(
        "log-level", "info", 'Logging level ("debug"|"info"|"warn"|"error"|"fatal")', "l",
        reload=True, check=forms.one_of(*_LEVELS),
    ),
    text(
        "log-format", "text", 'Logging format ("text"|"json")', check=forms.one_of("text", "json")
    ),
    text("group", "docker", "Group of the unix socket", "G"),
    flag("experimental", "Enable what Docker calls experimental: checkpoints"),
    flag("tls", "Use TLS; implied by --tlsverify"),
    flag("tlsverify", "Use TLS and demand client certificates"),
    text("tlscacert", "", "Trust certificates signed by this CA alone"),
    text("tlscert", "", "TLS certificate of the server"),
    text("tlskey", "", "TLS key of the server"),
    text(
        "metrics-addr", "", "Where Prometheus finds /metrics: 127.0.0.1:9323",
        check=forms.host_and_port,
    ),
    words(
        "token-hosts", "token-host",
        "TLS sockets for tokens of `boxship system socket create --token`",
    ),
    flag("allow-insecure-tcp", "Listen on TCP beyond this machine without client certificates"),
    Option(
        "min-api-version", "", Kind.TEXT, "", "Oldest version of the API that is served: 1.44",
        check=forms.api_version,
    ),
    words("labels", "label", "key=value labels of the daemon", reload=True, check=forms.labels),
    words(
        "node-generic-resources", "node-generic-resource",
        "What the node has besides: name=number or name=word", check=forms.generic_resources,
    ),
    Option(
        "plugin-dirs", "plugin-dir", Kind.LIST, DEFAULT_PLUGIN_DIRECTORIES,
        "Directories with sockets and spec files of plugins",
    ),
    number(
        "plugin-timeout", 120, "Seconds for a plugin to do what it is asked", check=_POSITIVE
    ),
    words(
        "authorization-plugins", "authorization-plugin",
        "Plugins that are asked about each request and answer, in this order", reload=True,
    ),
    flag("live-restore", "Let containers run on when the daemon stops", reload=True),
    number(
        "shutdown-timeout", 15, "Seconds for containers to stop when the daemon does",
        reload=True, check=forms.at_least(-1, "-1 (for ever)"),
    ),
    Option("builder", "", Kind.TREE, {}, "How much of builds' cache is kept (gc)"),
    text(
        "trash-retention", "0", "How long what is removed can be restored, as 24h (0: not at all)",
        reload=True,
    ),
    Option(
        "features", "feature", Kind.MAP, {},
        "Switch a feature on or off: cdi=false, keep-blobs=true", reload=True,
    ),
)  # fmt: skip

_CONTAINERS: tuple[Option, ...] = (
    number(
        "default-stop-timeout", 10, "Seconds between a container's stop signal and its end",
        reload=True, check=forms.at_least(-1, "-1 (for ever)"),
    ),
    words("exec-opts", "exec-opt", "native.cgroupdriver=cgroupfs or systemd"),
    number("cpu-rt-period", 0, "Real-time period, microseconds", check=forms.at_least(0)),
    number("cpu-rt-runtime", 0, "Real-time share of that period", check=forms.at_least(-1)),
    text("cgroup-parent", "", "Parent cgroup of all containers"),
    Option("default-ulimits", "default-ulimit", Kind.MAP, {}, "Default ulimits of containers"),
    Option(
        "default-shm-size", "default-shm-size", Kind.SIZE, 64 << 20, "Default size of /dev/shm",
        reload=True, check=_POSITIVE,
    ),
    text(
        "default-cgroupns-mode", "", '"host" or "private" (default: by cgroup version)',
        reload=True, check=forms.one_of("", "host", "private"),
    ),
    text(
        "default-ipc-mode", "private", '"private" or "shareable"',
        reload=True, check=forms.one_of("private", "shareable"),
    ),
    flag("init", "Run an init in containers that forwards signals and reaps processes"),
    text("init-path", "", "Program of that init (default: one of our own)"),
    flag("no-new-privileges", "Set no-new-privileges by default"),
    Option(
        "cdi-spec-dirs", "cdi-spec-dir", Kind.LIST, DEFAULT_CDI_DIRECTORIES,
        "Directories where devices are described for CDI",
    ),
    text("seccomp-profile", "builtin", 'Path of a seccomp profile, or "unconfined"'),
    text(
        "log-driver", "json-file", "Default driver of container logs, or a plugin's name",
        check=forms.plugin_or(*KNOWN),
    ),
    Option("log-opts", "log-opt", Kind.MAP, {}, "Default options of the log driver"),
    text(
        "log-budget", "", 'Most that all logs may take together, like "10g"; empty: no limit',
        check=forms.decimal_size, reload=True,
    ),
    text("userns-remap", "", 'Map users of containers: "default", user[:group] or uid[:gid]'),
    text(
        "storage-driver", "", 'Storage driver ("overlay2"|"vfs")', "s",
        check=forms.one_of(*_STORAGE_DRIVERS),
    ),
    words("storage-opts", "storage-opt", "Options of the storage driver: overlay2.size=10g"),
    words("dns", "dns", "DNS servers of containers", check=forms.addresses),
    words("dns-opts", "dns-opt", "DNS options of containers"),
    words("dns-search", "dns-search", "DNS search domains of containers"),
    text("default-runtime", "boxship", "Runtime of containers", reload=True),
    Option(
        "runtimes", "add-runtime", Kind.MAP, {}, "OCI runtime of containers: name=path",
        reload=True,
    ),
)  # fmt: skip

_REGISTRIES: tuple[Option, ...] = (
    words("registry-mirrors", "registry-mirror", "Mirrors of Docker Hub", reload=True),
    words(
        "insecure-registries", "insecure-registry",
        "Registries without TLS or with any certificate: host[:port] or CIDR block", reload=True,
    ),
    number("max-concurrent-downloads", 3, "Layers downloaded at once", reload=True),
    number("max-concurrent-uploads", 5, "Layers uploaded at once", reload=True),
    number("max-download-attempts", 5, "Attempts for each download", reload=True),
    number(
        "registry-connect-timeout", 15, "Seconds for a registry to take a connection", reload=True
    ),
    number(
        "registry-read-timeout", 60, "Seconds a registry may stay silent within an answer",
        reload=True,
    ),
    Option("proxies", "", Kind.MAP, {}, "Proxies for registries: http-proxy, https-proxy…"),
    Option("", "http-proxy", Kind.TEXT, "", "Proxy for http registries"),
    Option("", "https-proxy", Kind.TEXT, "", "Proxy for https registries"),
    Option("", "no-proxy", Kind.TEXT, "", "Hosts and networks without proxy, comma-separated"),
)  # fmt: skip

_COMMAND_LINE: tuple[Option, ...] = (
    Option("", "config-file", Kind.TEXT, DEFAULT_CONFIG_FILE, "Configuration file"),
    Option("", "validate", Kind.FLAG, False, "Check the configuration and exit"),
    Option("", "restore-records", Kind.TEXT, "", "Go back to a copy of the records, and exit"),
    Option("", "version", Kind.FLAG, False, "Print the version and exit", "v"),
    Option("", "help", Kind.FLAG, False, "Print this and exit", "h"),
)

OPTIONS: tuple[Option, ...] = (
    *_DAEMON, *_CONTAINERS, *NETWORK_OPTIONS, *_REGISTRIES, *_COMMAND_LINE, *IDLE_OPTIONS
)  # fmt: skip

BY_KEY = {option.key: option for option in OPTIONS if option.key}
BY_FLAG = {option.flag: option for option in OPTIONS if option.flag}
BY_SHORT = {option.short: option for option in OPTIONS if option.short}
BY_NAME = {option.name: option for option in OPTIONS}


def flags_for_people() -> list[tuple[str, str, str, str]]:
    """Return short, long, kind of value and help of every flag that has an effect, by name."""
    shown = sorted((o for o in OPTIONS if o.effect and o.flag), key=lambda o: o.flag)
    return [
        (o.short, o.flag, "" if o.kind is Kind.FLAG else o.kind.name.lower(), o.help) for o in shown
    ]


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
