"""A container as ``ps`` shows it."""

import time
from collections.abc import Callable, Mapping
from typing import Any

from boxship.cli.format.directive import Column, View
from boxship.cli.format.durations import local_time, since
from boxship.cli.format.ports import display_ports
from boxship.cli.format.sizes import human_size
from boxship.gotemplate.quoting import quote

_SHORT_ID = 12
_SHORT_COMMAND = 20
_SHORT_MOUNT = 15

DEFAULT_COLUMNS = ("ID", "Image", "Command", "RunningFor", "Status", "Ports", "Names")


def ellipsis(text: str, width: int) -> str:
    """``text`` cut to ``width`` characters, the last of them an ellipsis."""
    if len(text) <= width:
        return text
    return text[: width - 1] + "…" if width > 1 else text[:width]


class ContainerView:
    """One entry of ``GET /containers/json``, field by field."""

    def __init__(self, summary: Mapping[str, Any], *, full: bool, now: float | None = None) -> None:
        self._summary = summary
        self._full = full
        self._now = time.time() if now is None else now

    def id(self) -> str:
        identifier: str = self._summary["Id"]
        return identifier if self._full else identifier[:_SHORT_ID]

    def names(self) -> str:
        names = [name.removeprefix("/") for name in self._summary.get("Names") or ()]
        if not self._full:
            # A link's alias is shown as "other/alias"; the own name has no slash in it.
            names = [name for name in names if "/" not in name]
        return ",".join(names)

    def image(self) -> str:
        image: str = self._summary.get("Image", "")
        if not image:
            return "<no image>"
        if self._full:
            return image
        image_id = self._summary.get("ImageID", "")
        if image == image_id or image.removeprefix("sha256:") == image_id.removeprefix("sha256:"):
            return image.removeprefix("sha256:")[:_SHORT_ID]
        name, digest, _ = image.partition("@")
        return name if digest else image

    def command(self) -> str:
        command = self._summary.get("Command", "")
        return quote(command if self._full else ellipsis(command, _SHORT_COMMAND))

    def created_at(self) -> str:
        return local_time(self._summary["Created"])

    def running_for(self) -> str:
        return since(self._summary["Created"], self._now)

    def ports(self) -> str:
        return display_ports(self._summary.get("Ports") or ())

    def state(self) -> str:
        return str(self._summary.get("State", ""))

    def status(self) -> str:
        return str(self._summary.get("Status", ""))

    def size(self) -> str:
        size = human_size(self._summary.get("SizeRw") or 0, 3)
        virtual = self._summary.get("SizeRootFs") or 0
        return f"{size} (virtual {human_size(virtual, 3)})" if virtual > 0 else size

    def labels(self) -> str:
        labels = self._summary.get("Labels") or {}
        return ",".join(f"{key}={value}" for key, value in sorted(labels.items()))

    def label(self) -> Callable[[str], str]:
        labels = self._summary.get("Labels") or {}
        return lambda name: labels.get(name, "")

    def mounts(self) -> str:
        shown = []
        for mount in self._summary.get("Mounts") or ():
            name = mount.get("Name") or mount.get("Source", "")
            shown.append(name if self._full else ellipsis(name, _SHORT_MOUNT))
        return ",".join(shown)

    def local_volumes(self) -> str:
        mounts = self._summary.get("Mounts") or ()
        return str(sum(1 for mount in mounts if mount.get("Driver") == "local"))

    def networks(self) -> str:
        settings = self._summary.get("NetworkSettings") or {}
        return ",".join(settings.get("Networks") or ())

    def platform(self) -> str | None:
        descriptor = self._summary.get("ImageManifestDescriptor") or {}
        platform = descriptor.get("platform")
        if not platform:
            return None
        parts = (platform.get("os", ""), platform.get("architecture", ""), platform.get("variant"))
        return "/".join(part for part in parts if part)


CONTAINER: View[ContainerView] = View(
    go_type="*formatter.ContainerContext",
    columns={
        "ID": Column("CONTAINER ID", ContainerView.id),
        "Names": Column("NAMES", ContainerView.names),
        "Image": Column("IMAGE", ContainerView.image),
        "Command": Column("COMMAND", ContainerView.command),
        "CreatedAt": Column("CREATED AT", ContainerView.created_at),
        "RunningFor": Column("CREATED", ContainerView.running_for),
        "Ports": Column("PORTS", ContainerView.ports),
        "State": Column("STATE", ContainerView.state),
        "Status": Column("STATUS", ContainerView.status),
        "Size": Column("SIZE", ContainerView.size),
        "Labels": Column("LABELS", ContainerView.labels),
        "Mounts": Column("MOUNTS", ContainerView.mounts),
        "LocalVolumes": Column("LOCAL VOLUMES", ContainerView.local_volumes),
        "Networks": Column("NETWORKS", ContainerView.networks),
        "Platform": Column("PLATFORM", ContainerView.platform),
    },
    methods={"Label": ContainerView.label},
)
