"""The two networks there are, and a container's place in them.

They have no records: their ids follow from their names, so that they are the same for ever.
"""

import hashlib
from collections.abc import Iterable

from boxship.base.clock import format_ns
from boxship.engine.containers.record import ContainerRecord
from boxship.engine.networks.record import predefined_id
from boxship.wire.networks import Endpoint, Network, NetworkContainer

_DRIVERS = {"none": "null", "host": "host"}


def endpoint_of(record: ContainerRecord, network: str) -> Endpoint:
    """Return the container's endpoint; one that runs has an id."""
    made = f"{record.id} {network} {record.state.started_ns}"
    endpoint_id = hashlib.sha256(made.encode()).hexdigest() if record.state.running else ""
    return Endpoint(network_id=predefined_id(network), endpoint_id=endpoint_id)


def endpoints_of(record: ContainerRecord) -> dict[str, Endpoint]:
    return {name: endpoint_of(record, name) for name in record.networks}


def networks(containers: Iterable[ContainerRecord] = ()) -> list[Network]:
    """Return every network, with those of the containers that run in it."""
    running = [record for record in containers if record.state.running]
    return [
        Network(
            name=name,
            id=predefined_id(name),
            created=format_ns(0),
            driver=driver,
            containers={
                record.id: NetworkContainer(
                    name=record.name, endpoint_id=endpoint_of(record, name).endpoint_id
                )
                for record in running
                if name in record.networks
            },
        )
        for name, driver in _DRIVERS.items()
    ]
