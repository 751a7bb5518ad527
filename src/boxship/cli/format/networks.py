"""A network as ``network ls`` shows it."""

from collections.abc import Callable, Mapping
from typing import Any

from boxship.cli.format.directive import Column, View
from boxship.cli.format.rawjson import as_go
from boxship.gotemplate.values import Moment

_SHORT_ID = 12
DEFAULT_COLUMNS = ("ID", "Name", "Driver", "Scope")


class NetworkView:
    """One entry of ``GET /networks``."""

    def __init__(self, network: Mapping[str, Any], *, full: bool = False) -> None:
        self._network = network
        self._full = full

    def id(self) -> str:
        identifier: str = self._network["Id"]
        return identifier if self._full else identifier[:_SHORT_ID]

    def text(self, field: str) -> str:
        return str(self._network.get(field) or "")

    def truth(self, field: str) -> str:
        return "true" if self._network.get(field) else "false"

    def labels(self) -> str:
        labels = self._network.get("Labels") or {}
        return ",".join(f"{key}={labels[key]}" for key in sorted(labels))

    def label(self) -> Callable[..., str]:
        labels = self._network.get("Labels") or {}
        return lambda name: str(labels.get(name, ""))

    def created_at(self) -> str:
        return Moment(self.text("Created")).printed()


def _text(field: str) -> Callable[[NetworkView], str]:
    return lambda view: view.text(field)


def _truth(field: str) -> Callable[[NetworkView], str]:
    return lambda view: view.truth(field)


NETWORK: View[NetworkView] = View(
    go_type="*network.networkContext",
    columns={
        "ID": Column("NETWORK ID", NetworkView.id),
        "Name": Column("NAME", _text("Name")),
        "Driver": Column("DRIVER", _text("Driver")),
        "Scope": Column("SCOPE", _text("Scope")),
        "IPv4": Column("IPV4", _truth("EnableIPv4")),
        "IPv6": Column("IPV6", _truth("EnableIPv6")),
        "Internal": Column("INTERNAL", _truth("Internal")),
        "Labels": Column("LABELS", NetworkView.labels),
        "CreatedAt": Column("CREATED AT", NetworkView.created_at),
    },
    methods={"Label": NetworkView.label},
)


def network_as_go(document: Any) -> Any:
    """A network as Docker's client reads it: its creation is a time, a container's is a text."""
    return as_go({**document, "Created": Moment(document.get("Created", ""))})
