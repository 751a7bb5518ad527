"""A container's state as others read it."""

from __future__ import annotations

from boxship.runtime.cli.store import STOPPED, Record, Store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def state_of(store: Store, record: Record) -> dict[str, Any]:
    """Return the state; keys and their order are runc's."""
    status = store.status(record)
    document: dict[str, Any] = {
        "ociVersion": record.oci_version,
        "id": record.container_id,
        "pid": 0 if status == STOPPED else record.pid,
        "status": status,
        "bundle": record.bundle,
        "rootfs": record.rootfs,
        "created": record.created,
    }
    if record.annotations:
        document["annotations"] = record.annotations
    document["owner"] = record.owner
    return document
