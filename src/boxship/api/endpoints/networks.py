"""Networks and volumes, as far as they are there: two networks to look at, and no volume."""

from boxship.api.call import Call, plain_json
from boxship.api.http.messages import Answer
from boxship.api.views.networks import networks
from boxship.base.errors import InvalidArgumentError, NotFoundError
from boxship.engine.containers.requests import ContainerQuery
from boxship.wire import parameters
from boxship.wire.networks import Network

_FILTERS = frozenset({"dangling", "driver", "id", "label", "name", "scope", "type"})


async def list_networks(call: Call) -> Answer:
    filters = call.filters()
    parameters.allow(filters, _FILTERS)
    return call.json_list([n for n in networks() if _wanted(n, filters)])


def _wanted(network: Network, filters: parameters.Filters) -> bool:
    checks = {
        "name": lambda value: value in network.name,
        "id": lambda value: value in network.id,
        "driver": lambda value: value == network.driver,
        "scope": lambda value: value == network.scope,
        "type": lambda value: value == "builtin",
        "label": lambda _value: False,
        "dangling": lambda value: not parameters.boolean(value),
    }
    return all(any(map(checks[name], values)) for name, values in filters.items() if values)


async def inspect_network(call: Call) -> Answer:
    records = call.backend.containers.list(ContainerQuery())
    known = networks(records)
    found = [n for n in known if call.target in (n.name, n.id)]
    found = found or [n for n in known if n.id.startswith(call.target)]
    if not found:
        raise NotFoundError(f"network {call.target} not found")
    if len(found) > 1:
        raise InvalidArgumentError(f"network {call.target} is ambiguous ({len(found)} matches)")
    return call.json(found[0])


async def list_volumes(_call: Call) -> Answer:
    return plain_json({"Volumes": [], "Warnings": None})


async def inspect_volume(call: Call) -> Answer:
    raise NotFoundError(f"get {call.target}: no such volume")


ROUTES = (
    ("GET", "/networks", list_networks),
    ("GET", "/networks/", list_networks),
    ("GET", "/networks/{id}", inspect_network),
    ("GET", "/volumes", list_volumes),
    ("GET", "/volumes/{name}", inspect_volume),
)
