"""The rows of :mod:`boxship.daemon.options` about networks."""

from boxship.daemon import forms
from boxship.daemon.option import Kind, Option, flag, text, words

NETWORK_OPTIONS: tuple[Option, ...] = (
    text("bridge", "", 'Existing bridge as the default network, or "none"', "b"),
    text("bip", "", "IPv4 address of the default bridge, with its subnet: 172.17.0.1/16"),
    text("bip6", "", "IPv6 address of the default bridge, with its subnet"),
    text("fixed-cidr", "", "IPv4 range that containers on the default bridge get addresses of"),
    text("fixed-cidr-v6", "", "IPv6 range that containers on the default bridge get addresses of"),
    text("default-gateway", "", "IPv4 gateway of containers on the default bridge"),
    text("default-gateway-v6", "", "IPv6 gateway of containers on the default bridge"),
    flag("ipv6", "Enable IPv6 on the default bridge"),
    Option("mtu", "mtu", Kind.NUMBER, 0, "MTU of the default bridge (default 1500)"),
    flag("icc", "Let containers on the default bridge reach one another", default=True),
    flag("ip-masq", "Masquerade what leaves the default bridge", default=True),
    text("ip", "", "Address of the host for ports published from the default bridge"),
    words("host-gateway-ips", "host-gateway-ip", "What host-gateway means in --add-host"),
    Option("host-gateway-ip", "", Kind.TEXT, "", "Older name of host-gateway-ips"),
    Option(
        "default-address-pools", "default-address-pool", Kind.POOLS, (),
        "Where subnets of networks come from: base=10.10.0.0/16,size=24",
    ),
    Option(
        "default-network-opts", "default-network-opt", Kind.MAPS, {},
        "Default options of networks by driver: bridge=com.docker.network.driver.mtu=1400",
    ),
    flag("ip-forward", "Have the host forward packets", default=True),
    flag(
        "ip-forward-no-drop",
        "Forward for others, too, where this daemon switched forwarding on",
    ),
    flag("iptables", "Make firewall rules", default=True),
    flag("ip6tables", "Make firewall rules for IPv6, too", default=True),
    text("firewall-backend", "", 'Always "nftables", which iptables\' own rules go along with'),
    text("firewall", "respect", "Host's firewall and published ports: \"respect\" or \"bypass\""),
    flag("allow-direct-routing", "Open published ports at containers' own addresses, too"),
    text(
        "bridge-accept-fwmark", "", "Let packets with this firewall mark into bridges: mark/mask",
        check=forms.fwmark,
    ),
    Option(
        "network-diagnostic-port", "network-diagnostic-port", Kind.NUMBER, 0,
        "Port of 127.0.0.1 where the networks' state can be asked for (0: none)",
        reload=True, check=forms.port,
    ),
)  # fmt: skip
