"""Volume plugins: subclass :class:`VolumePlugin`."""

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from boxship.plugin.sdk.serving import Answer, Json, Part, text, texts


@dataclass(frozen=True)
class Volume:
    """A volume as a plugin knows it. ``mountpoint`` is empty while it is mounted nowhere."""

    name: str
    mountpoint: str = ""
    created_at: str = ""
    """RFC 3339; empty: not known."""
    status: Mapping[str, object] = field(default_factory=dict)

    def fields(self) -> dict[str, object]:
        """Return it as the protocol has it."""
        found: dict[str, object] = {"Name": self.name, "Mountpoint": self.mountpoint}
        if self.created_at:
            found["CreatedAt"] = self.created_at
        return found | ({"Status": dict(self.status)} if self.status else {})


class VolumePlugin(Part):
    """Keeps volumes. To refuse, raise ``RefusedError``; calls come in several threads at once.

    ``caller`` tells those apart who have a volume mounted: it is to be mounted by the first and
    unmounted by the last of them.
    """

    scope = "local"
    """``global``: every engine of a cluster sees the same volumes."""

    @abstractmethod
    def create(self, name: str, options: Mapping[str, str]) -> None:
        """Make a volume; one that is there already is fine."""

    @abstractmethod
    def remove(self, name: str) -> None:
        """Remove a volume and its files."""

    @abstractmethod
    def mount(self, name: str, caller: str) -> str:
        """Have a volume mounted; return the directory's path on the host."""

    @abstractmethod
    def unmount(self, name: str, caller: str) -> None:
        """Somebody does not need it any more."""

    def path(self, name: str) -> str:
        """Return where it is mounted; empty: nowhere."""
        return self.get(name).mountpoint

    @abstractmethod
    def get(self, name: str) -> Volume:
        """Return one volume. RefusedError: there is none of that name."""

    @abstractmethod
    def list(self) -> list[Volume]:
        """Return all volumes."""

    def capability(self) -> str:
        return "VolumeDriver"

    def calls(self) -> Mapping[str, Callable[[Json], Answer]]:
        return {
            "VolumeDriver.Create": self._create,
            "VolumeDriver.Remove": self._remove,
            "VolumeDriver.Mount": self._mount,
            "VolumeDriver.Unmount": self._unmount,
            "VolumeDriver.Path": lambda wish: {"Mountpoint": self.path(text(wish, "Name"))},
            "VolumeDriver.Get": lambda wish: {"Volume": self.get(text(wish, "Name")).fields()},
            "VolumeDriver.List": lambda _: {"Volumes": [one.fields() for one in self.list()]},
            "VolumeDriver.Capabilities": lambda _: {"Capabilities": {"Scope": self.scope}},
        }

    def _create(self, wish: Json) -> Answer:
        self.create(text(wish, "Name"), texts(wish, "Opts"))
        return {}

    def _remove(self, wish: Json) -> Answer:
        self.remove(text(wish, "Name"))
        return {}

    def _mount(self, wish: Json) -> Answer:
        return {"Mountpoint": self.mount(text(wish, "Name"), text(wish, "ID"))}

    def _unmount(self, wish: Json) -> Answer:
        self.unmount(text(wish, "Name"), text(wish, "ID"))
        return {}
