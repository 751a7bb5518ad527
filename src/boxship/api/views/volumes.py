"""Volumes as the list, ``inspect`` and the disk usage show them."""

from datetime import UTC, datetime

from msgspec import UNSET, structs

from boxship.engine.volumes.record import LOCAL
from boxship.engine.volumes.requests import CreateVolume, VolumeUse, VolumeView
from boxship.wire.volumes import UsageData, VolumeBody, VolumeRow

_SECOND = 1_000_000_000


def row(view: VolumeView) -> VolumeRow:
    """Return a volume; its time in whole seconds, as Docker has it."""
    record = view.record
    created = datetime.fromtimestamp(record.created_ns // _SECOND, UTC)
    return VolumeRow(
        created_at=created.strftime("%Y-%m-%dT%H:%M:%SZ"),
        driver=record.driver,
        labels=record.labels,
        mountpoint=view.mountpoint,
        name=record.name,
        options=record.options,
        scope=view.scope,
        status=_status(view) or UNSET,
    )


def _status(view: VolumeView) -> dict[str, object]:
    """Say what the driver knows beyond Docker: of a snapshot, and whose copy a volume is."""
    status: dict[str, object] = dict(view.status)
    if view.record.read_only:
        status["Access"] = "read-only"
    return status | ({"CopyOf": view.origin} if view.origin else {})


def row_with_usage(use: VolumeUse) -> VolumeRow:
    """Return a volume with how much it is, and how many have it."""
    return structs.replace(row(use.view), usage_data=UsageData(use.references, use.size))


def create_request(body: VolumeBody) -> CreateVolume:
    """Return what the body asks for."""
    return CreateVolume(body.name, body.driver or LOCAL, body.labels, body.driver_opts)
