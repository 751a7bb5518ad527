"""Which networks a container is to be on: what a create asks for, checked against what there is.

A network that does not exist yet is no error at create; it is looked up again at each start, by its
name if the one it meant is gone. So a network can be made anew under its containers.
"""

import msgspec
from msgspec import UNSET

from boxship.base.errors import InvalidArgumentError, NotFoundError
from boxship.engine.containers.checks.modes import joined_container
from boxship.engine.networks.endpoint import EndpointRecord
from boxship.engine.networks.record import HOST, NONE
from boxship.engine.networks.service import Networks
from boxship.model.container import ContainerConfig, HostConfig

SHARES = (
    "container sharing network namespace with another container or host "
    "cannot be connected to any other network"
)
PRIVATE = (
    "container cannot be connected to multiple networks with one of the networks in private "
    "(none) mode"
)
_DEFAULTS = ("", "default")


def wanted(
    networks: Networks,
    config: ContainerConfig,
    host: HostConfig,
    wishes: tuple[EndpointRecord, ...],
) -> tuple[EndpointRecord, ...]:
    """Return the endpoints of a container to be; ``host`` is filled with the daemon's defaults.

    As in Docker, endpoints that are named take the place of the mode's own, unless they are for
    it. InvalidArgumentError: they don't go together, or ask for what their network has not.
    """
    if config.network_disabled is not UNSET and config.network_disabled:
        return ()
    mode = host.network_mode
    if joined_container(mode) is not None:
        if wishes:
            raise InvalidArgumentError(SHARES)
        return ()
    wishes = tuple(_of_mode(networks, wish, mode) for wish in wishes)
    wishes = wishes or (EndpointRecord("", mode),)
    wishes = tuple(sorted(wishes, key=lambda wish: wish.network != mode))  # the mode's own first
    check_together(wishes)
    return tuple(checked(networks, wish) for wish in _with_mac(wishes, config, mode))


def _of_mode(networks: Networks, wish: EndpointRecord, mode: str) -> EndpointRecord:
    """Call the mode's network as the mode does: a client may name it by its id."""
    if wish.network in _DEFAULTS:
        return msgspec.structs.replace(wish, network=mode)
    try:
        if networks.find(wish.network).id == networks.find(mode).id:
            return msgspec.structs.replace(wish, network=mode)
    except (NotFoundError, InvalidArgumentError):
        pass  # told at the start
    return wish


def _with_mac(
    wishes: tuple[EndpointRecord, ...], config: ContainerConfig, mode: str
) -> tuple[EndpointRecord, ...]:
    """Give a MAC address that is the container's own, as older clients say it, to its first."""
    mac = config.mac_address
    first, *others = wishes
    if mac is UNSET or not mac or first.mac_asked or first.network != mode:
        return wishes
    return (msgspec.structs.replace(first, mac_asked=mac), *others)


def check_together(endpoints: tuple[EndpointRecord, ...]) -> None:
    """Raise InvalidArgumentError for networks that no others go with."""
    names = {endpoint.network for endpoint in endpoints}
    if len(names) > 1 and HOST in names:
        raise InvalidArgumentError(SHARES)
    if len(names) > 1 and NONE in names:
        raise InvalidArgumentError(PRIVATE)


def checked(networks: Networks, wish: EndpointRecord) -> EndpointRecord:
    """Check a wish against its network, if there is one yet."""
    try:
        return networks.check_wish(wish)
    except NotFoundError:
        return msgspec.structs.replace(wish, network_id="")
    except InvalidArgumentError as error:
        raise InvalidArgumentError(f"invalid config for network {wish.network}: {error}") from error


def settled(networks: Networks, endpoint: EndpointRecord) -> EndpointRecord:
    """Return the endpoint with the network it is for now. NotFoundError: there is none."""
    if endpoint.plugged:
        return endpoint
    try:
        if endpoint.network_id:
            networks.find(endpoint.network_id)
            return endpoint
    except NotFoundError:
        pass  # removed, and maybe made anew
    return networks.check_wish(msgspec.structs.replace(endpoint, network_id=""))
