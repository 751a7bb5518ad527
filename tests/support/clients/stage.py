"""Where clients are driven: a machine with an engine, and a registry in the world beyond it."""

from types import TracebackType
from typing import Self

from support.clients.telling import Scene
from support.lab import Lab
from support.machines import NET4, OUTSIDE4
from support.registries import RegistryServer


class Stage:
    """`with Stage(kind) as stage:` makes all of it; ``kind`` is boxshipd or dockerd."""

    def __init__(self, kind: str) -> None:
        self.lab = Lab(kind, f"--insecure-registry={NET4}.0/24")
        self._registry = RegistryServer(address=OUTSIDE4)

    def __enter__(self) -> Self:
        self.lab.__enter__()
        try:
            # A program that a thread starts is in the namespace of that thread.
            self.lab.outside.inside(self._registry.__enter__)
        except BaseException:
            self.lab.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._registry.__exit__(kind, error, trace)
        self.lab.__exit__(kind, error, trace)

    @property
    def scene(self) -> Scene:
        return Scene(socket=str(self.lab.engine.socket), registry=self._registry.host)

    def clear(self) -> None:
        """See that a script has left nothing: no container, network, volume, image."""
        api = self.lab.engine.api
        left = {
            "containers": [row["Names"] for row in api.get("/containers/json", all=1).json()],
            "volumes": [row["Name"] for row in api.get("/volumes").json()["Volumes"] or ()],
            "images": [row["RepoTags"] for row in api.get("/images/json").json()],
        }
        assert left == {"containers": [], "volumes": [], "images": [["busybox:latest"]]}, left
        self.lab.clear()

    def reset(self) -> None:
        """Take away what a script has left when it ended early."""
        self.lab.empty()
        api = self.lab.engine.api
        for volume in api.get("/volumes").json()["Volumes"] or ():
            api.delete(f"/volumes/{volume['Name']}")
        for image in api.get("/images/json").json():
            for name in set(image["RepoTags"]) - {"busybox:latest"}:
                api.delete(f"/images/{name}")
