"""A command line of ``create`` or ``run`` as the body of ``POST /containers/create``.

The body equals, field for field, what Docker's own client sends for the same flags; the parity
test beside this records both.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from boxship.base.errors import InvalidArgumentError
from boxship.cli.command.container import settings
from boxship.cli.flags import Values
from boxship.cli.syntax import devices, environment, mounts, networks, ports, security
from boxship.cli.syntax.networks import NetworkSpec

Json = dict[str, Any]


class Surroundings(NamedTuple):
    """What a request takes from outside of the command line."""

    environment: Mapping[str, str]
    proxies: tuple[str, ...] = ()  # NAME=value from the client's configuration
    api_socket: str = ""  # for --use-api-socket
    console: tuple[int, int] = (0, 0)  # height and width of our terminal


def build(values: Values, image: str, command: Iterable[str], around: Surroundings) -> Json:
    """Raise InvalidArgumentError for what is wrong whatever the daemon thinks of it."""
    _check(values)
    try:
        host = _host_config(values, around)
        body = _config(values, image, list(command), around)
        publish = [spec for text in values.many("publish") for spec in ports.parse_publish(text)]
        exposed = [spec.port for spec in publish]
        exposed += [port for text in values.many("expose") for port in ports.parse_expose(text)]
    except ValueError as error:
        raise InvalidArgumentError(str(error)) from error
    if exposed:
        body["ExposedPorts"] = {port: {} for port in exposed}
    bindings: dict[str, list[Json]] = {}
    for spec in publish:
        bindings.setdefault(spec.port, []).append(spec.binding())
    host["PortBindings"] = bindings
    binds, anonymous = mounts.split_volumes(values.many("volume"))
    body["Volumes"] = anonymous
    host["Binds"] = binds or None
    body["HostConfig"] = host
    body["NetworkingConfig"] = {"EndpointsConfig": _endpoints(values)}
    return body


# Checks

_NAMESPACE_MODES = (
    ("pid", "PID", ("", "host"), True),
    ("uts", "UTS", ("", "host"), False),
    ("userns", "USER", ("", "host"), False),
    ("cgroupns", "CGROUP", ("", "host", "private"), False),
)


def _check(values: Values) -> None:
    for flag, name, allowed, joins in _NAMESPACE_MODES:
        mode = values.text(flag)
        if mode not in allowed and not (joins and mode.startswith("container:")):
            raise InvalidArgumentError(f"--{flag}: invalid {name} mode")
    swappiness = values.number("memory-swappiness")
    if swappiness != -1 and not 0 <= swappiness <= 100:
        raise InvalidArgumentError(
            f"invalid value: {swappiness}. Valid memory swappiness range is 0-100"
        )
    mac = values.text("mac-address")
    if mac and not networks.is_mac_address(mac.strip()):
        raise InvalidArgumentError(f"{mac} is not a valid mac address")
    if values.on("rm") and values.text("restart") not in ("no", ""):
        raise InvalidArgumentError("conflicting options: cannot specify both --restart and --rm")


# Config


def _config(values: Values, image: str, command: list[str], around: Surroundings) -> Json:
    streams = _streams(values)
    body = settings.read(values, settings.CONFIG)
    assigned = environment.variables(
        values.many("env-file"), values.many("env"), around.environment
    )
    named = {assignment.partition("=")[0] for assignment in assigned}
    proxies = [pair for pair in around.proxies if pair.partition("=")[0] not in named]
    body |= streams
    body |= {
        "StdinOnce": body["OpenStdin"] and streams["AttachStdin"],
        "Env": assigned + proxies or None,
        "Cmd": command or None,
        "Image": image,
        "Entrypoint": [values.text("entrypoint")] if values.changed("entrypoint") else None,
        "OnBuild": None,
        "Labels": environment.labels(values.many("label-file"), values.many("label")),
    }
    health = _healthcheck(values)
    if health is not None:
        body["Healthcheck"] = health
    return body


def _streams(values: Values) -> Json:
    chosen = values.many("attach")
    return {
        "AttachStdin": "stdin" in chosen or values.on("interactive"),
        "AttachStdout": "stdout" in chosen or not chosen,
        "AttachStderr": "stderr" in chosen or not chosen,
    }


_HEALTH = (
    ("health-interval", "Interval"),
    ("health-timeout", "Timeout"),
    ("health-start-period", "StartPeriod"),
    ("health-start-interval", "StartInterval"),
    ("health-retries", "Retries"),
)


_TESTS = (
    ("health-cmd", "CMD-SHELL"),
    ("health-http", "HTTP"),
    ("health-tcp", "TCP"),
    ("health-grpc", "GRPC"),
)
_ONE_OF = ", ".join(f"--{flag}" for flag, _ in _TESTS)


def _healthcheck(values: Values) -> Json | None:
    given = [(flag, field) for flag, field in _HEALTH if values.number(flag)]
    tests = [[kind, text] for flag, kind in _TESTS if (text := values.text(flag))]
    if len(tests) > 1:
        raise InvalidArgumentError("a container has one health check: give one of " + _ONE_OF)
    if values.on("no-healthcheck"):
        if given or tests:
            raise InvalidArgumentError("--no-healthcheck conflicts with --health-* options")
        return {"Test": ["NONE"]}
    for flag, _ in given:
        if values.number(flag) < 0:
            raise InvalidArgumentError(f"--{flag} cannot be negative")
    if not given and not tests:
        return None
    check: Json = {"Test": tests[0]} if tests else {}
    return check | {field: values.number(flag) for flag, field in given}


# HostConfig


def _host_config(values: Values, around: Surroundings) -> Json:
    host = settings.read(values, settings.HOST)
    options = security.read_security_options(values.many("security-opt"))
    host["CapAdd"], host["CapDrop"] = security.capabilities(
        values.many("cap-add"), values.many("cap-drop")
    )
    listed = list(options.options)
    described, paths = devices.split_described(values.many("device"))
    if described:
        host["DeviceRequests"] = [*(host["DeviceRequests"] or ()), described]
    host |= {
        "LogConfig": _log_config(values),
        "NetworkMode": _first_network(values).name or "default",
        "RestartPolicy": restart_policy(values.text("restart")),
        "ConsoleSize": list(around.console),
        "Cgroup": "",
        "SecurityOpt": listed if listed or options.bare_paths else None,
        "Devices": [devices.parse_device(devices.check_device(path)) for path in paths],
        "Ulimits": _last_of_each(values.many("ulimit")),
        "MaskedPaths": [] if options.bare_paths else None,
        "ReadonlyPaths": [] if options.bare_paths else None,
    }
    host |= _maps(values)
    if values.on("use-api-socket") and around.api_socket:
        host.setdefault("Mounts", []).append(
            {
                "Type": "bind",
                "Source": around.api_socket,
                "Target": "/var/run/docker.sock",
                "BindOptions": {},
            }
        )
    return host


def _maps(values: Values) -> Json:
    """Fields that are left out when empty."""
    options = values.many("storage-opt")
    if any("=" not in option for option in options):
        raise InvalidArgumentError("invalid storage option")
    fields = {
        "Tmpfs": mounts.parse_tmpfs(values.many("tmpfs")),
        "Sysctls": _pairs(values.many("sysctl")),
        "Annotations": _pairs(values.many("annotation")),
        "StorageOpt": _pairs(options),
    }
    return {name: content for name, content in fields.items() if content}


def _last_of_each(limits: Iterable[Json]) -> list[Json]:
    """The last of several limits of one name counts; in order of names."""
    by_name = {limit["Name"]: limit for limit in limits}
    return [by_name[name] for name in sorted(by_name)]


def _pairs(assignments: Iterable[str]) -> dict[str, str]:
    parted = (assignment.partition("=") for assignment in assignments)
    return {key: value for key, _, value in parted}


def _log_config(values: Values) -> Json:
    driver, options = values.text("log-driver"), values.many("log-opt")
    if driver == "none" and options:
        raise InvalidArgumentError("invalid logging opts for driver none")
    return {"Type": driver, "Config": _pairs(options)}


def restart_policy(text: str) -> Json:
    """Read ``on-failure:3``; raise InvalidArgumentError."""
    name, separator, times = text.partition(":")
    if separator and not name:
        raise InvalidArgumentError("invalid restart policy format: no policy provided before colon")
    if separator and not times.lstrip("-").isdigit():
        raise InvalidArgumentError(
            "invalid restart policy format: maximum retry count must be an integer"
        )
    return {"Name": name, "MaximumRetryCount": int(times) if separator else 0}


# NetworkingConfig


def _first_network(values: Values) -> NetworkSpec:
    specs = values.many("network")
    first: NetworkSpec = specs[0] if specs else NetworkSpec("")
    return first


def _endpoints(values: Values) -> Json:
    """One entry a network; the single-purpose flags (``--ip`` …) belong to the first."""
    first = _endpoint(_with_flags(_first_network(values), values), values)
    others = values.many("network")[1:]
    name = _first_network(values).name
    if not values.many("network"):
        return {"default": first}
    if not others and not networks.is_user_defined(name) and first == _EMPTY_ENDPOINT:
        return {}
    return {name: first} | {spec.name: _endpoint(spec, values) for spec in others}


def _with_flags(spec: NetworkSpec, values: Values) -> NetworkSpec:

    conflicts = (
        (spec.aliases, "network-alias", "network-alias"),
        (spec.ipv4, "ip", "IPv4 address"),
        (spec.ipv6, "ip6", "IPv6 address"),
        (spec.link_local, "link-local-ip", "link-local IP addresses"),
    )
    for inside, flag, what in conflicts:
        if inside and values.changed(flag):
            raise InvalidArgumentError(
                f"conflicting options: cannot specify both --{flag} and per-network {what}"
            )
    return replace(
        spec,
        aliases=spec.aliases or values.many("network-alias"),
        ipv4=spec.ipv4 or values.text("ip"),
        ipv6=spec.ipv6 or values.text("ip6"),
        link_local=spec.link_local or values.many("link-local-ip"),
        mac=spec.mac or values.text("mac-address").strip(),
    )


_EMPTY_ENDPOINT: Json = {
    "IPAMConfig": None,
    "Links": None,
    "Aliases": None,
    "MacAddress": "",
    "DriverOpts": None,
    "GwPriority": 0,
    "NetworkID": "",
    "EndpointID": "",
    "Gateway": "",
    "IPAddress": "",
    "IPPrefixLen": 0,
    "IPv6Gateway": "",
    "GlobalIPv6Address": "",
    "GlobalIPv6PrefixLen": 0,
    "DNSNames": None,
}


def _endpoint(spec: NetworkSpec, values: Values) -> Json:
    return endpoint_of(spec, values.many("link") if networks.is_user_defined(spec.name) else ())


def endpoint_of(spec: NetworkSpec, links: Iterable[str] = ()) -> Json:
    """Return what one network's settings are in a request."""
    addresses: Json = {}
    if spec.ipv4:
        addresses["IPv4Address"] = spec.ipv4
    if spec.ipv6:
        addresses["IPv6Address"] = spec.ipv6
    if spec.link_local:
        addresses["LinkLocalIPs"] = list(spec.link_local)
    return _EMPTY_ENDPOINT | {
        "IPAMConfig": addresses or None,
        "Links": list(links) or None,
        "Aliases": list(spec.aliases) or None,
        "MacAddress": spec.mac,
        "DriverOpts": dict(spec.driver_options) or None,
        "GwPriority": spec.priority,
    }
