"""A volume plugin of the tests' own: volumes are directories, callers are remembered."""

from pathlib import Path

from support.fakeplugin import Answers, Json


class Directories:
    """Volumes below ``home``, by name; ``broken`` are the answers of calls that go wrong."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.volumes: dict[str, Json] = {}
        self.callers: dict[str, set[str]] = {}

    def answers(self) -> Answers:
        """Return what it answers, by method."""
        return {
            f"VolumeDriver.{name}": call
            for name, call in {
                "Create": self._create,
                "Remove": self._remove,
                "Mount": self._mount,
                "Unmount": self._unmount,
                "Get": self._get,
                "Path": self._path,
                "List": lambda _: {"Volumes": [self._shown(name) for name in self.volumes]},
                "Capabilities": lambda _: {"Capabilities": {"Scope": "global"}},
            }.items()
        }

    def _create(self, wish: Json) -> Json:
        if "bad" in (wish.get("Opts") or {}):
            return {"Err": "no such option: bad"}
        self.volumes[wish["Name"]] = wish.get("Opts") or {}
        self.callers[wish["Name"]] = set()
        (self.home / wish["Name"]).mkdir(exist_ok=True)
        return {"Err": ""}

    def _remove(self, wish: Json) -> Json:
        if wish["Name"] not in self.volumes:
            return {"Err": "no such volume"}
        if self.callers[wish["Name"]]:
            return {"Err": f"{wish['Name']} is mounted"}
        del self.volumes[wish["Name"]]
        return {}

    def _mount(self, wish: Json) -> Json:
        self.callers[wish["Name"]].add(wish["ID"])
        return {"Mountpoint": str(self.home / wish["Name"])}

    def _unmount(self, wish: Json) -> Json:
        self.callers[wish["Name"]].remove(wish["ID"])
        return {}

    def _path(self, wish: Json) -> Json:
        return {"Mountpoint": str(self.home / wish["Name"])}

    def _get(self, wish: Json) -> Json:
        if wish["Name"] not in self.volumes:
            return {"Err": "no such volume"}
        return {"Volume": self._shown(wish["Name"])}

    def _shown(self, name: str) -> Json:
        place = str(self.home / name) if self.callers[name] else ""
        return {"Name": name, "Mountpoint": place, "CreatedAt": "2024-05-06T07:08:09Z",
                "Status": {"opts": self.volumes[name]}}  # fmt: skip
