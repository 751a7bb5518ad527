"""What ``--opt`` may say: the options of each driver, read into types; pure.

Every name that Docker has below ``com.docker.network`` is in one of the two tables: honoured, or
refused with what to use instead. Names of other makers are kept, as Docker keeps them, and a
warning says that nothing comes of them.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address, ip_address

from boxship.base.errors import InvalidArgumentError

PREFIX = "com.docker.network."
_BRIDGE = PREFIX + "bridge."

NAME = _BRIDGE + "name"
MASQUERADE = _BRIDGE + "enable_ip_masquerade"
MODE_IPV4 = _BRIDGE + "gateway_mode_ipv4"
MODE_IPV6 = _BRIDGE + "gateway_mode_ipv6"
ICC = _BRIDGE + "enable_icc"
INHIBIT_IPV4 = _BRIDGE + "inhibit_ipv4"
HOST_BINDING_IPV4 = _BRIDGE + "host_binding_ipv4"
DEFAULT_BRIDGE = _BRIDGE + "default_bridge"
TRUSTED_INTERFACES = _BRIDGE + "trusted_host_interfaces"
MTU = PREFIX + "driver.mtu"
PREFIX_INSIDE = PREFIX + "container_iface_prefix"
HOST_IPV4 = PREFIX + "host_ipv4"
HOST_IPV6 = PREFIX + "host_ipv6"
ENABLE_IPV4 = PREFIX + "enable_ipv4"
ENABLE_IPV6 = PREFIX + "enable_ipv6"

_INTERFACE = re.compile(r"[^\s/:%]{1,15}")
_TRUE = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_FALSE = frozenset({"0", "f", "F", "FALSE", "false", "False"})


class GatewayMode(StrEnum):
    """How a network's addresses of one family meet the world beyond the host."""

    NAT = "nat"
    NAT_UNPROTECTED = "nat-unprotected"
    """As ``nat``, and ports that are not published can be reached by the container's address."""
    ROUTED = "routed"
    """No translation: the world has routes to the containers, and reaches published ports."""
    ISOLATED = "isolated"
    """The bridge has no address at all; for internal networks."""


@dataclass(frozen=True)
class BridgeOptions:
    """Options of the ``bridge`` driver, with their defaults."""

    name: str = ""
    masquerade: bool = True
    mode_ipv4: GatewayMode = GatewayMode.NAT
    mode_ipv6: GatewayMode = GatewayMode.NAT
    icc: bool = True
    inhibit_ipv4: bool = False
    """The bridge gets no IPv4 address: somebody else is the gateway."""
    host_binding: str = ""
    """Where ports are published that name no address of the host; empty: everywhere."""
    trusted_interfaces: tuple[str, ...] = ()
    mtu: int = 0
    inside_prefix: str = "eth"
    host_ipv4: str = ""
    """What containers' packets come from, beyond the host; empty: the kernel chooses."""
    host_ipv6: str = ""

    def mode(self, version: int) -> GatewayMode:
        return self.mode_ipv4 if version == 4 else self.mode_ipv6


@dataclass(frozen=True)
class ParentOptions:
    """Options of ``macvlan`` and ``ipvlan``, which live on an interface of the host."""

    parent: str = ""
    mode: str = ""
    flag: str = ""
    """Of ipvlan: ``bridge``, ``private`` or ``vepa``."""
    mtu: int = 0
    inside_prefix: str = "eth"


def truth(name: str, text: str) -> bool:
    """Read a truth value as Go's ``strconv.ParseBool`` does. InvalidArgumentError."""
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise InvalidArgumentError(f"failed to parse {name} value: {text} (it must be true or false)")


def _truth(name: str, text: str) -> None:
    truth(name, text)


def _mtu(name: str, text: str) -> None:
    # 68 is the least that IPv4 allows, 65535 the most that a bridge takes.
    if not (text.isascii() and text.isdigit()) or not (text == "0" or 68 <= int(text) <= 65535):
        raise InvalidArgumentError(
            f"failed to parse {name} value: {text} (it must be a number from 68 to 65535)"
        )


_NO_NAMES = (".", "..", "all", "default")
"""The last two are no interfaces below /proc/sys/net."""


def _interface(name: str, text: str) -> None:
    if not _INTERFACE.fullmatch(text) or text in _NO_NAMES:
        raise InvalidArgumentError(
            f"invalid {name} value: {text!r} (the name of an interface has 1 to 15 characters, no "
            "space, slash or colon; it is not all or default)"
        )


def _inside_prefix(name: str, text: str) -> None:
    # The number behind it must fit, too.
    if not re.fullmatch(r"[^\s/:%0-9][^\s/:%]{0,11}", text) or text == "lo":
        raise InvalidArgumentError(f"invalid {name} value: {text!r} (such as eth)")


def _mode(name: str, text: str) -> None:
    if text not in list(GatewayMode):
        raise InvalidArgumentError(
            f"unknown gateway mode {text} in {name} (one of {', '.join(GatewayMode)})"
        )


def _ipv4(name: str, text: str) -> None:
    _address(name, text, IPv4Address)


def _ipv6(name: str, text: str) -> None:
    _address(name, text, IPv6Address)


def _any_address(name: str, text: str) -> None:
    _address(name, text, (IPv4Address, IPv6Address))


def _address(name: str, text: str, kinds: type | tuple[type, ...]) -> None:
    try:
        fits = isinstance(ip_address(text), kinds)
    except ValueError:
        fits = False
    if not fits:
        raise InvalidArgumentError(f"failed to parse {name} value: {text} (not such an address)")


def _interfaces(name: str, text: str) -> None:
    for word in text.split(":"):
        _interface(name, word)


def _anything(_name: str, _text: str) -> None:
    pass


def _one_of(what: str, default: str, *words: str) -> Callable[[str, str], None]:
    def check(_name: str, text: str) -> None:
        if text not in words:
            raise InvalidArgumentError(
                f"requested {what} '{text}' is not valid, '{default}' mode is the "
                f"{what.split(maxsplit=1)[0]} driver default (one of {', '.join(words)})"
            )

    return check


Check = Callable[[str, str], None]

_EVERYWHERE: Mapping[str, Check] = {
    MTU: _mtu,
    PREFIX_INSIDE: _inside_prefix,
    ENABLE_IPV4: _truth,
    ENABLE_IPV6: _truth,
}

KNOWN: Mapping[str, Mapping[str, Check]] = {
    "bridge": {
        **_EVERYWHERE,
        NAME: _interface,
        MASQUERADE: _truth,
        MODE_IPV4: _mode,
        MODE_IPV6: _mode,
        ICC: _truth,
        INHIBIT_IPV4: _truth,
        HOST_BINDING_IPV4: _any_address,
        TRUSTED_INTERFACES: _interfaces,
        HOST_IPV4: _ipv4,
        HOST_IPV6: _ipv6,
    },
    "macvlan": {
        **_EVERYWHERE,
        "parent": _interface,
        "macvlan_mode": _one_of("macvlan mode", "bridge", "bridge", "private", "vepa", "passthru"),
    },
    "ipvlan": {
        **_EVERYWHERE,
        "parent": _interface,
        "ipvlan_mode": _one_of("ipvlan mode", "l2", "l2", "l3", "l3s"),
        "ipvlan_flag": _one_of("ipvlan flag", "bridge", "bridge", "private", "vepa"),
    },
}

_INTERNAL = "the engine sets it itself; leave it out"
_ENDPOINT = "it is an option of a container's place in the network: --network name=…,driver-opt=…"
_OVERLAY = "it is an option of overlay networks"
REFUSED: Mapping[str, str] = {
    DEFAULT_BRIDGE: 'only the predefined network "bridge" is the default one',
    PREFIX + "driver": _INTERNAL,
    PREFIX + "driver.private": _INTERNAL,
    PREFIX + "driver.private.no_proxy_6to4": "there is no proxy process that it could concern",
    PREFIX + "generic": _INTERNAL,
    PREFIX + "portmap": "publish ports with the container: -p",
    PREFIX + "gateway": "use --gateway",
    PREFIX + "internal": "use --internal",
    PREFIX + "endpoint.macaddress": "use --mac-address with the container",
    PREFIX + "endpoint.exposedports": "use --expose with the container",
    PREFIX + "endpoint.dnsservers": "use --dns with the container",
    PREFIX + "endpoint.name": "use --name or --network-alias with the container",
    PREFIX + "endpoint.sysctls": _ENDPOINT,
    PREFIX + "endpoint.ifname": _ENDPOINT,
    PREFIX + "advertise_addr_nmsgs": _OVERLAY,
    PREFIX + "advertise_addr_ms": _OVERLAY,
    PREFIX + "driver.overlay.vxlanid_list": _OVERLAY,
}


def check_options(driver: str, options: Mapping[str, str]) -> list[str]:
    """Look at a network's options, and return warnings about those that do nothing.

    InvalidArgumentError names the option and what is wrong with it.
    """
    known = KNOWN.get(driver, {})
    warnings = []
    for name, text in options.items():
        if name in known:
            known[name](name, text)
        elif name in REFUSED:
            raise InvalidArgumentError(f"invalid option {name}: {REFUSED[name]}")
        elif name == PREFIX.rstrip(".") or name.startswith(PREFIX):
            raise InvalidArgumentError(f"invalid option {name}: {_whose(driver, name)}")
        else:
            warnings.append(f"option {name} has no effect with the {driver} driver")
    return warnings


def _whose(driver: str, name: str) -> str:
    owners = [owner for owner, names in KNOWN.items() if name in names]
    if owners:
        return f"it belongs to the {' and '.join(owners)} driver, not to {driver}"
    return f"the {driver} driver has no such option (it has {_list(KNOWN.get(driver, ()))})"


def _list(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none"


def bridge_options(options: Mapping[str, str]) -> BridgeOptions:
    """Read options that were checked before."""
    default = BridgeOptions()

    def on(name: str, otherwise: bool) -> bool:
        return truth(name, options[name]) if name in options else otherwise

    return BridgeOptions(
        name=options.get(NAME, ""),
        masquerade=on(MASQUERADE, True),
        mode_ipv4=GatewayMode(options.get(MODE_IPV4, default.mode_ipv4)),
        mode_ipv6=GatewayMode(options.get(MODE_IPV6, default.mode_ipv6)),
        icc=on(ICC, True),
        inhibit_ipv4=on(INHIBIT_IPV4, False),
        host_binding=options.get(HOST_BINDING_IPV4, ""),
        trusted_interfaces=tuple(filter(None, options.get(TRUSTED_INTERFACES, "").split(":"))),
        mtu=int(options.get(MTU, "0")),
        inside_prefix=options.get(PREFIX_INSIDE, default.inside_prefix),
        host_ipv4=options.get(HOST_IPV4, ""),
        host_ipv6=options.get(HOST_IPV6, ""),
    )


def parent_options(driver: str, options: Mapping[str, str]) -> ParentOptions:
    """Read options of ``macvlan`` or ``ipvlan`` that were checked before."""
    ipvlan = driver == "ipvlan"
    return ParentOptions(
        parent=options.get("parent", ""),
        mode=options.get(f"{driver}_mode", "l2" if ipvlan else "bridge"),
        flag=options.get("ipvlan_flag", "bridge") if ipvlan else "",
        mtu=int(options.get(MTU, "0")),
        inside_prefix=options.get(PREFIX_INSIDE, "eth"),
    )
