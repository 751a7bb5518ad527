"""Networks: made as any other, but with what they were before."""

from boxship.base.errors import NotFoundError
from boxship.engine.networks.requests import CreateNetwork, Origin, PoolRequest
from boxship.engine.networks.service import Networks
from boxship.model.adoption import Adopted, AdoptedNetwork, AdoptedPool


async def adopt(networks: Networks, wanted: AdoptedNetwork) -> Adopted:
    """See :meth:`Adoption.network`."""
    try:
        if networks.find(wanted.id).id == wanted.id:
            return Adopted(wanted.id, already=True)
    except NotFoundError:
        pass
    made = await networks.create(_request(wanted))
    return Adopted(made.id, warnings=(made.warning,) if made.warning else ())


def _request(wanted: AdoptedNetwork) -> CreateNetwork:
    return CreateNetwork(
        name=wanted.name,
        driver=wanted.driver,
        internal=wanted.internal,
        attachable=wanted.attachable,
        enable_ipv4=wanted.enable_ipv4,
        enable_ipv6=wanted.enable_ipv6,
        pools=tuple(map(_pool, wanted.pools)),
        ipam_driver=wanted.ipam_driver,
        ipam_options=wanted.ipam_options,
        options=wanted.options,
        labels=wanted.labels,
        config_only=wanted.config_only,
        config_from=wanted.config_from,
        origin=Origin(wanted.id, wanted.created_ns, wanted.owns_bridge),
    )


def _pool(pool: AdoptedPool) -> PoolRequest:
    return PoolRequest(pool.subnet, pool.ip_range, pool.gateway, pool.aux, pool.chosen)
