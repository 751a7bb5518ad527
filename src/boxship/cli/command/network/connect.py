"""``boxship network connect``."""

from boxship.base.errors import InvalidArgumentError
from boxship.cli import kinds
from boxship.cli.flags import Flag, Kind
from boxship.cli.session import Session
from boxship.cli.verb import TWO, Command, Invocation
from boxship.client import networks


def _link(text: str) -> str:
    if not text:
        raise ValueError("empty string specified for links")
    if text.count(":") > 1:
        raise ValueError(f"bad format for links: {text}")
    return text


FLAGS = (
    Flag("alias", "", kinds.CSV, "One more name of the container on this network"),
    Flag("driver-opt", "", kinds.CSV, "Option for the network's driver"),
    Flag("gw-priority", "", kinds.INT, "The network with the highest has the default gateway"),
    Flag("ip", "", kinds.STRING, "IPv4 address, as 172.30.100.104"),
    Flag("ip6", "", kinds.STRING, "IPv6 address, as 2001:db8::33"),
    Flag("link", "", Kind("list", _link, (), repeats=True), "Link to another container"),
    Flag("link-local-ip", "", kinds.CSV, "Link-local address"),
)


def run(session: Session, given: Invocation) -> int:
    values = given.values
    addresses = {
        "IPv4Address": values.text("ip"),
        "IPv6Address": values.text("ip6"),
        "LinkLocalIPs": list(values.many("link-local-ip")),
    }
    endpoint = {
        "IPAMConfig": {name: value for name, value in addresses.items() if value},
        "Links": list(values.many("link")) or None,
        "Aliases": list(values.many("alias")),
        "DriverOpts": _options(values.many("driver-opt")),
        "GwPriority": values.number("gw-priority"),
    }
    network, container = given.arguments
    networks.connect(session.client, network, container, endpoint)
    return 0


def _options(texts: tuple[str, ...]) -> dict[str, str]:
    options = {}
    for text in texts:
        key, separator, value = text.partition("=")
        if not separator or not key.strip():
            raise InvalidArgumentError("invalid key/value pair format in driver options")
        options[key.strip()] = value.strip()
    return options


COMMAND = Command("[OPTIONS] NETWORK CONTAINER", TWO, run, FLAGS)
