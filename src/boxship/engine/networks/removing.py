"""Whether a network may be removed; pure."""

from collections.abc import Iterable, Sequence

from boxship.base.errors import ForbiddenError
from boxship.engine.networks.record import NetworkRecord
from boxship.engine.networks.requests import Lease


def check_unused(
    record: NetworkRecord, leases: Sequence[Lease], others: Iterable[NetworkRecord]
) -> None:
    """Raise ForbiddenError naming who uses it, or what it is."""
    if record.predefined:
        raise ForbiddenError(f"{record.name} is a pre-defined network and cannot be removed")
    if leases:
        tenants = (lease.tenant for lease in leases)
        who = ", ".join(f'name:"{tenant.name}" id:"{tenant.id[:12]}"' for tenant in tenants)
        raise ForbiddenError(
            f"error while removing network: network {record.name} has active endpoints ({who})"
        )
    if record.config_only and any(other.config_from == record.name for other in others):
        raise ForbiddenError(
            f'error while removing network: configuration network "{record.name}" is in use'
        )
