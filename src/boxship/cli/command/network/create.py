"""``boxship network create``."""

from boxship.cli import kinds
from boxship.cli.command.container.flags import LABEL
from boxship.cli.flags import Flag, Values
from boxship.cli.session import Session
from boxship.cli.syntax.ipam import pools
from boxship.cli.verb import ONE, Command, Invocation
from boxship.client import networks
from boxship.client.engine import JsonObject

FLAGS = (
    Flag("attachable", "", kinds.BOOL, "Let containers be attached by hand, on swarm networks"),
    Flag("aux-address", "", kinds.LIST, "Address to leave alone, as router=192.168.1.5"),
    Flag("config-from", "", kinds.STRING, "Network to take the configuration from"),
    Flag("config-only", "", kinds.BOOL, "Make a configuration for other networks, and no network"),
    Flag("driver", "d", kinds.STRING, "bridge, macvlan, ipvlan", default="bridge"),
    Flag("gateway", "", kinds.CSV, "Address of the gateway of a subnet"),
    Flag("ingress", "", kinds.BOOL, "Make the swarm's network for published ports"),
    Flag("internal", "", kinds.BOOL, "No way to the outside, nor from there"),
    Flag("ip-range", "", kinds.CSV, "Part of a subnet to take containers' addresses from"),
    Flag("ipam-driver", "", kinds.STRING, "Who gives out addresses", default="default"),
    Flag("ipam-opt", "", kinds.LIST, "Option for who gives out addresses"),
    Flag("ipv4", "", kinds.BOOL, "Give containers IPv4 addresses", default=True),
    Flag("ipv6", "", kinds.BOOL, "Give containers IPv6 addresses"),
    Flag("label", "", LABEL, "Label as key=value"),
    Flag("opt", "o", kinds.LIST, "Option for the driver, as com.docker.network.driver.mtu=1400"),
    Flag("scope", "", kinds.STRING, "Where it is known: local or swarm"),
    Flag("subnet", "", kinds.CSV, "Subnet in CIDR notation; may be repeated"),
)


def run(session: Session, given: Invocation) -> int:
    created = networks.create(session.client, body_of(given.values, given.arguments[0]))
    if created.warning:
        session.warn(f"WARNING: {created.warning}")
    session.say(created.id)
    return 0


def body_of(values: Values, name: str) -> JsonObject:
    """What is sent; addresses are checked as far as Docker's client does."""
    source = values.text("config-from")
    body: JsonObject = {
        "Name": name,
        "Driver": values.text("driver"),
        "Scope": values.text("scope"),
        "IPAM": {
            "Driver": values.text("ipam-driver"),
            "Options": assigned(values.many("ipam-opt")),
            "Config": pools(
                values.many("subnet"),
                ranges=values.many("ip-range"),
                gateways=values.many("gateway"),
                auxiliary=assigned(values.many("aux-address")),
            ),
        },
        "Internal": values.on("internal"),
        "Attachable": values.on("attachable"),
        "Ingress": values.on("ingress"),
        "ConfigOnly": values.on("config-only"),
        "ConfigFrom": {"Network": source} if source else None,
        "Options": assigned(values.many("opt")),
        "Labels": assigned(values.many("label")),
    }
    for flag, field in (("ipv4", "EnableIPv4"), ("ipv6", "EnableIPv6")):
        if values.changed(flag):
            body[field] = values.on(flag)
    return body


def assigned(texts: tuple[str, ...]) -> dict[str, str]:
    """``key=value`` or ``key`` alone, the last of a key."""
    return {key: value for key, _, value in (text.partition("=") for text in texts)}


COMMAND = Command("[OPTIONS] NETWORK", ONE, run, FLAGS)
