"""Networks that were made by nobody: what an API answers is looked at without an engine."""

from dataclasses import dataclass, field

from boxship.base.errors import NotFoundError
from boxship.engine.networks.endpoint import EndpointRecord
from boxship.engine.networks.record import NetworkRecord, PoolRecord, predefined_id
from boxship.engine.networks.requests import (
    CreatedNetwork,
    CreateNetwork,
    Lease,
    NetworkDetail,
    NetworkPrune,
    NetworkQuery,
    SubnetUse,
    Tenant,
)
from boxship.model.statistics import InterfaceStatistics

SHOP_ID = "5" * 64


def _shop() -> NetworkRecord:
    pools = (
        PoolRecord("10.9.0.0/24", "10.9.0.128/25", "10.9.0.1", {"printer": "10.9.0.9"}),
        PoolRecord("fd00:9::/64", gateway="fd00:9::1"),
    )
    return NetworkRecord(
        SHOP_ID, "shop", "bridge", 1, enable_ipv6=True, ipam=pools, options={"a": "b"}
    )


@dataclass
class FakeNetworks:
    """The predefined networks and ``shop``, which one container is on."""

    records: list[NetworkRecord] = field(
        default_factory=lambda: [
            _shop(),
            NetworkRecord(predefined_id("none"), "none", "null", 1, enable_ipv4=False),
            NetworkRecord(predefined_id("host"), "host", "host", 1, enable_ipv4=False),
        ]
    )
    asked: list[object] = field(default_factory=list)

    def list(self, query: NetworkQuery) -> list[NetworkRecord]:
        self.asked.append(query)
        return self.records

    async def traffic(self, reference: str) -> dict[str, InterfaceStatistics]:
        return {"c" * 64: InterfaceStatistics(10, 1, tx_bytes=20), "d" * 64: InterfaceStatistics(5)}

    def inspect(self, reference: str) -> NetworkDetail:
        for record in self.records:
            if reference in (record.name, record.id):
                if record.name != "shop":
                    return NetworkDetail(record)
                endpoint = EndpointRecord(
                    record.id,
                    "shop",
                    endpoint_id="e" * 64,
                    mac="02:42:0a:09:00:80",
                    ipv4="10.9.0.128/24",
                    ipv6="fd00:9::2/64",
                )
                lease = Lease(endpoint, Tenant("c" * 64, "web"))
                return NetworkDetail(record, (lease,), (SubnetUse("10.9.0.0/24", 5, 127),))
        raise NotFoundError(f"network {reference} not found")

    async def create(self, request: CreateNetwork) -> CreatedNetwork:
        self.asked.append(request)
        return CreatedNetwork(SHOP_ID, "mind the gap")

    async def remove(self, reference: str) -> None:
        self.asked.append(("remove", reference))

    async def prune(self, wanted: NetworkPrune) -> tuple[str, ...]:
        self.asked.append(wanted)
        return ("shop",)
