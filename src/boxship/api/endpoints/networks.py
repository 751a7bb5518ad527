"""Networks: create, look, remove."""

from msgspec.structs import replace

from boxship.api.call import EMPTY, NO_CONTENT, Call
from boxship.api.endpointwishes import wish_of
from boxship.api.http.messages import Answer
from boxship.api.views import networks as views
from boxship.base.errors import InvalidArgumentError, NotFoundError
from boxship.engine.networks.requests import NetworkQuery
from boxship.wire import networks as shapes

_VERBOSE = (
    frozenset({"", "0", "f", "F", "false", "FALSE", "False"}),
    frozenset({"1", "t", "T", "true", "TRUE", "True"}),
)


def list_networks(call: Call) -> Answer:
    networks = call.backend.networks
    records = networks.list(NetworkQuery(call.filters()))
    if shapes.lists_containers(call.version):
        details = [networks.inspect(record.id) for record in records]
        return call.json_list([views.network_inspect(detail) for detail in details])
    return call.json_list([views.network_row(record) for record in records])


async def inspect_network(call: Call) -> Answer:
    """``verbose`` adds what swarms know, of which there is nothing, and beyond Docker counters."""
    no, yes = _VERBOSE
    if call.text("verbose") not in no | yes:
        word = call.text("verbose")
        raise InvalidArgumentError(
            f"invalid value for verbose: {word}: strconv.ParseBool: parsing "
            f'"{word}": invalid syntax'
        )
    detail = call.backend.networks.inspect(call.target)
    scope = call.text("scope")
    if scope and scope != detail.record.scope:
        raise NotFoundError(f"network {call.target} not found")
    shown = views.network_inspect(detail)
    if call.text("verbose") in yes:
        traffic = await call.backend.networks.traffic(detail.record.id)
        shown = replace(shown, traffic=views.network_traffic(traffic))
    return call.json(shown)


async def create_network(call: Call) -> Answer:
    body = await call.optional_body(shapes.NetworkBody)
    if call.version < 48:
        body = replace(body, enable_ipv4=None)
    created = await call.backend.networks.create(views.create_request(body))
    return call.json(shapes.NetworkCreated(created.id, created.warning), 201)


async def remove_network(call: Call) -> Answer:
    await call.backend.networks.remove(call.target)
    return NO_CONTENT


async def connect(call: Call) -> Answer:
    body = await call.optional_body(shapes.ConnectBody)
    wish = wish_of(call.target, body.endpoint_config)
    await call.backend.containers.connect(body.container, wish)
    return EMPTY


async def disconnect(call: Call) -> Answer:
    """``force`` means the same: a container that is gone has left its networks by then."""
    body = await call.optional_body(shapes.DisconnectBody)
    await call.backend.containers.disconnect(body.container, call.target)
    return EMPTY


ROUTES = (
    ("GET", "/networks", list_networks),
    ("GET", "/networks/", list_networks),
    ("POST", "/networks/create", create_network),
    ("GET", "/networks/{id}", inspect_network),
    ("POST", "/networks/{id}/connect", connect),
    ("POST", "/networks/{id}/disconnect", disconnect),
    ("DELETE", "/networks/{id}", remove_network),
)
