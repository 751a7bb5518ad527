"""The options about networks, as the engine is told them."""

from typing import TYPE_CHECKING

from boxship.base.errors import InvalidArgumentError
from boxship.daemon.forms import read_fwmark
from boxship.engine.networks.defaultbridge import check_settings
from boxship.engine.settings import AddressPoolSetting, NetworkSettings

if TYPE_CHECKING:
    from boxship.daemon.config import DaemonConfig

_BACKENDS = ("", "nftables", "iptables")


def network_settings(config: "DaemonConfig") -> NetworkSettings:
    """Translate the options about networks. InvalidArgumentError names the one that cannot be."""
    backend = config.text("firewall-backend")
    if backend not in _BACKENDS:
        raise InvalidArgumentError(f"invalid firewall-backend: {backend} (it is nftables)")
    mark = config.text("bridge-accept-fwmark")
    if config.text("host-gateway-ip") and config.words("host-gateway-ips"):
        raise InvalidArgumentError(
            "host-gateway-ip and host-gateway-ips are the same option: give one of them"
        )
    older = config.text("host-gateway-ip")
    settings = NetworkSettings(
        bridge=config.text("bridge"),
        bip=config.text("bip"),
        bip6=config.text("bip6"),
        fixed_cidr=config.text("fixed-cidr"),
        fixed_cidr_v6=config.text("fixed-cidr-v6"),
        mtu=config.number("mtu"),
        icc=config.flag("icc"),
        ip_masq=config.flag("ip-masq"),
        default_gateway=config.text("default-gateway"),
        default_gateway_v6=config.text("default-gateway-v6"),
        ipv6=config.flag("ipv6"),
        host_ip=config.text("ip"),
        host_gateway_ips=config.words("host-gateway-ips") or ((older,) if older else ()),
        address_pools=tuple(map(_pool, config.words("default-address-pools"))),
        default_options={
            driver: {name: str(value) for name, value in chosen.items()}
            for driver, chosen in config.mapping("default-network-opts").items()
        },
        ip_forward=config.flag("ip-forward"),
        ip_forward_no_drop=config.flag("ip-forward-no-drop"),
        iptables=config.flag("iptables"),
        ip6tables=config.flag("ip6tables"),
        allow_direct_routing=config.flag("allow-direct-routing"),
        accepted_mark=read_fwmark(mark) if mark else None,
        firewall=config.text("firewall"),
    )
    check_settings(settings)
    return settings


def _pool(text: str) -> AddressPoolSetting:
    base, _, size = text.removeprefix("base=").partition(",size=")
    return AddressPoolSetting(base, int(size))
