"""What answers looked like in older versions of the API: one table of changes per shape.

Structs describe the newest version. A change says in which version it came and how to undo it on
the plain objects (``dict``) of an answer. An answer for the newest version never becomes a dict.

======  ==========================================================================================
1.53    ``/system/df``: flat lists went (``diskusage.py``)
1.52    the default bridge's settings went from inspect, and ``Config.MacAddress``; an empty
        ``OnBuild`` of containers and empty members of an image and of its ``Config`` are left
        out; ``Health`` came to the list; networks: ``Status`` came to inspect, ``Containers`` went
        from the list; stats: ``os_type``; events (``events.py``): ``status``, ``id``, ``from``
1.51    the list of images counts ``Containers`` (before: -1)
1.50    image inspect: ``Config`` holds what the OCI specification knows, nothing else;
        ``/info`` without ``BridgeNfIptables``, with ``DiscoveredDevices``
1.49    ``/info``: ``FirewallBackend`` came, ``Commit.Expected`` and what the registry said of
        layers that may not be distributed went (before: null, before 1.42: empty)
1.48    networks: ``EnableIPv4``, endpoints: ``GwPriority``
1.46    the list of containers has ``HostConfig.Annotations``; events tell of images that were made
        (``events.py``)
1.45    image inspect without ``Container``, ``ContainerConfig``; endpoints' ``Aliases`` without the
        beginning of the container's id and, in inspect, its host name
1.44    ``VirtualSize`` went; endpoints: ``DNSNames`` came; ``/info``: ``CDISpecDirs``;
        empty lists of image tags and digests instead of null; no zero ``Created``
1.43    ``HostConfig.Annotations`` came
1.42    ``HostConfig.KernelMemory``, ``KernelMemoryTCP`` went, also from ``/info``
1.39    ``/info``: what is not known of the machine is empty instead of ``<unknown>``
1.28    the list of networks lost the containers on them (``networks.py``)
1.25    ``/info``: security options with their values; ``ExecutionDriver`` went
======  ==========================================================================================

Not all that came is here: like dockerd, an answer in an old version has members that were added
to it later without harm to anybody (``Components`` of ``/version``, ``CreatedAt`` of volumes).
"""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import msgspec
from msgspec import Struct

from boxship.base.clock import ZERO_TEXT
from boxship.model.statistics import Statistics
from boxship.wire.containers import ContainerInspect, ContainerRow
from boxship.wire.images import ImageInspect, ImageRow
from boxship.wire.networks import Network, NetworkInspect
from boxship.wire.system import Info
from boxship.wire.versions import NEWEST, ApiVersion

Undo = Callable[[dict[str, Any]], None]

_ENCODER = msgspec.json.Encoder()


def adapted(answer: Struct, version: ApiVersion) -> bytes:
    """Encode an answer as ``version`` has it."""
    undo = _undo(type(answer), version)
    if not undo:
        return _ENCODER.encode(answer)
    return _ENCODER.encode(_older(answer, undo))


def adapted_list(answers: Sequence[Struct], version: ApiVersion) -> bytes:
    """Encode a list of answers of one shape."""
    undo = _undo(type(answers[0]), version) if answers else ()
    if not undo:
        return _ENCODER.encode(answers)
    return _ENCODER.encode([_older(answer, undo) for answer in answers])


@cache
def _undo(shape: type[Struct], version: ApiVersion) -> Sequence[Undo]:
    if version == NEWEST:
        return ()
    return tuple(undo for since, undo in _CHANGES.get(shape, ()) if version < since)


def _older(answer: Struct, undo: Sequence[Undo]) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(answer)
    for step in undo:
        step(plain)
    return plain


def _without(*names: str, inside: str = "") -> Undo:
    """Undo the coming of fields, at the top or inside one member."""

    def undo(plain: dict[str, Any]) -> None:
        target = plain[inside] if inside else plain
        for name in names:
            target.pop(name, None)

    return undo


def _with(values: dict[str, Any], *, inside: str = "") -> Undo:
    """Undo the going of fields that had one value anyway."""

    def undo(plain: dict[str, Any]) -> None:
        target = plain[inside] if inside else plain
        for name, value in values.items():
            target.setdefault(name, value)

    return undo


def _endpoints(*names: str) -> Undo:
    def undo(plain: dict[str, Any]) -> None:
        for endpoint in plain["NetworkSettings"]["Networks"].values():
            for name in names:
                endpoint.pop(name, None)

    return undo


def _short_id_as_alias(plain: dict[str, Any]) -> None:
    """The beginning of the container's id was told as one of its aliases."""
    for name, endpoint in plain["NetworkSettings"]["Networks"].items():
        if name not in _PREDEFINED:
            endpoint["Aliases"] = [*(endpoint["Aliases"] or ()), plain["Id"][:12]]


def _host_name_as_alias(plain: dict[str, Any]) -> None:
    """And its host name, after that."""
    host = plain["Config"]["Hostname"]
    for name, endpoint in plain["NetworkSettings"]["Networks"].items():
        if name not in _PREDEFINED and host not in endpoint["Aliases"]:
            endpoint["Aliases"].append(host)


def _default_bridge(plain: dict[str, Any]) -> None:
    """What there is of the default bridge stood at the top as well."""
    settings = plain["NetworkSettings"]
    endpoint = settings["Networks"].get("bridge", {})
    for name, value in _DEFAULT_BRIDGE.items():
        settings.setdefault(name, endpoint.get(name, value))


def _virtual_size(plain: dict[str, Any]) -> None:
    plain["VirtualSize"] = plain["Size"]


def _built_from_container(plain: dict[str, Any]) -> None:
    stored = plain.get("Stored", {})
    if stored.get("container"):
        plain["Container"] = stored["container"]
    made_from = stored.get("container_config")
    plain["ContainerConfig"] = _EMPTY_CONFIG | _of_containers(made_from)


def _null_lists(plain: dict[str, Any]) -> None:
    if plain["RepoTags"] or plain["RepoDigests"]:
        return
    plain["RepoTags"], plain["RepoDigests"] = ["<none>:<none>"], ["<none>@<none>"]


def _expected_commits(plain: dict[str, Any]) -> None:
    for name in ("ContainerdCommit", "RuncCommit", "InitCommit"):
        plain[name]["Expected"] = plain[name]["ID"]


def _nondistributable(value: object) -> Undo:
    """The registry's configuration had two lists more, in the end without anything in them."""

    def undo(plain: dict[str, Any]) -> None:
        for name in ("CIDRs", "Hostnames"):
            plain["RegistryConfig"][f"AllowNondistributableArtifacts{name}"] = value

    return undo


def _unknown(plain: dict[str, Any]) -> None:
    for name in ("KernelVersion", "OperatingSystem"):
        plain[name] = plain[name] or "<unknown>"


def _names_of_security_options(plain: dict[str, Any]) -> None:
    """Options stood there by their names alone: ``seccomp``, not ``name=seccomp,profile=…``."""
    plain["SecurityOptions"] = [
        option.partition(",")[0].removeprefix("name=") for option in plain["SecurityOptions"]
    ]


def _full_config(plain: dict[str, Any]) -> None:
    stored = _of_containers(plain.get("Stored", {}).get("config"))
    plain["Config"] = _EMPTY_CONFIG | stored | plain["Config"]


def _of_containers(config: object) -> dict[str, Any]:
    """Return the members that containers have, of what an image's document says."""
    members = config if isinstance(config, dict) else {}
    return {name: value for name, value in members.items() if name in _CONFIG_MEMBERS}


_EMPTY_CONFIG = {
    "Hostname": "",
    "Domainname": "",
    "User": "",
    "AttachStdin": False,
    "AttachStdout": False,
    "AttachStderr": False,
    "Tty": False,
    "OpenStdin": False,
    "StdinOnce": False,
    "Env": None,
    "Cmd": None,
    "Image": "",
    "Volumes": None,
    "WorkingDir": "",
    "Entrypoint": None,
    "OnBuild": None,
    "Labels": None,
}

_CONFIG_MEMBERS = frozenset(_EMPTY_CONFIG) | {
    *("ArgsEscaped", "ExposedPorts", "Healthcheck", "MacAddress", "NetworkDisabled", "Shell"),
    *("StopSignal", "StopTimeout"),
}

_PREDEFINED = frozenset({"bridge", "host", "none"})

_DEFAULT_BRIDGE = {
    "Bridge": "",
    "HairpinMode": False,
    "LinkLocalIPv6Address": "",
    "LinkLocalIPv6PrefixLen": 0,
    "SecondaryIPAddresses": None,
    "SecondaryIPv6Addresses": None,
    "EndpointID": "",
    "Gateway": "",
    "GlobalIPv6Address": "",
    "GlobalIPv6PrefixLen": 0,
    "IPAddress": "",
    "IPPrefixLen": 0,
    "IPv6Gateway": "",
    "MacAddress": "",
}

_OF_IMAGES: dict[str, Any] = {
    **dict.fromkeys(("Cmd", "Entrypoint", "Env", "Labels", "OnBuild", "Volumes")),
    **dict.fromkeys(("User", "WorkingDir"), ""),
}

# Shape → (version that made the change, how to undo it), newest change first.
_CHANGES: dict[type[Struct], tuple[tuple[int, Undo], ...]] = {
    ContainerRow: (
        (52, _without("Health")),
        (48, _endpoints("GwPriority")),
        (46, _without("Annotations", inside="HostConfig")),
        (45, _short_id_as_alias),
        (44, _endpoints("DNSNames")),
    ),
    ContainerInspect: (
        (52, _default_bridge),
        (52, _with({"OnBuild": None}, inside="Config")),
        (48, _endpoints("GwPriority")),
        (45, _short_id_as_alias),
        (45, _host_name_as_alias),
        (44, _endpoints("DNSNames")),
        (43, _without("Annotations", inside="HostConfig")),
        (42, _with({"KernelMemory": 0, "KernelMemoryTCP": 0}, inside="HostConfig")),
    ),
    ImageRow: (
        (44, _virtual_size),
        (43, _null_lists),
    ),
    ImageInspect: (
        (52, _with({"Parent": "", "DockerVersion": "", "Comment": "", "Author": ""})),
        (52, _with(_OF_IMAGES, inside="Config")),
        (50, _full_config),
        (45, _built_from_container),
        (44, _virtual_size),
        (44, _with({"Created": ZERO_TEXT})),
        (50, _without("Stored")),
    ),
    Network: (
        (52, _with({"Containers": {}})),
        (48, _without("EnableIPv4")),
    ),
    NetworkInspect: (
        (52, _without("Status")),
        (48, _without("EnableIPv4")),
    ),
    Info: (
        (50, _with({"BridgeNfIptables": False, "BridgeNfIp6tables": False})),
        (50, _without("DiscoveredDevices")),
        (49, _without("FirewallBackend")),
        (49, _expected_commits),
        (49, _nondistributable(None)),
        (44, _without("CDISpecDirs")),
        (42, _nondistributable([])),
        (42, _with({"KernelMemory": False, "KernelMemoryTCP": False})),
        (39, _unknown),
        (25, _with({"ExecutionDriver": "<not supported>"})),
        (25, _names_of_security_options),
    ),
    Statistics: ((52, _without("os_type")),),
}
