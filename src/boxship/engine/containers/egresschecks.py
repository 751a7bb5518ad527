"""Whether somebody would keep a container's egress rules: a rule that nobody keeps is worse than
none.
"""

from collections.abc import Iterable

from boxship.base.errors import InvalidArgumentError, NotFoundError
from boxship.engine.containers.context import Context
from boxship.engine.networks.egress import words_of
from boxship.engine.networks.endpoint import EndpointRecord
from boxship.engine.networks.plug import has_interface, kind_of
from boxship.model.container import HostConfig


def check_kept(context: Context, host: HostConfig, endpoints: Iterable[EndpointRecord]) -> None:
    """Raise InvalidArgumentError for rules on networks that don't pass the firewall."""
    if not words_of(host):
        return
    if not context.plugging.firewall.keeps_rules:
        raise InvalidArgumentError(
            "egress rules need the daemon's firewall, which is switched off (iptables=false)"
        )
    for endpoint in endpoints:
        try:
            network = context.networks.find(endpoint.network_id)
        except NotFoundError:
            continue  # looked at again when it is found, at the start
        if (has_interface(network) or network.remote) and kind_of(network) != "veth":
            raise InvalidArgumentError(
                f"egress rules cannot be kept on network {network.name}: what containers send "
                f"through a {network.driver} does not pass the host's firewall"
            )
