"""Docker's own daemon (Debian's docker.io), started privately as a `Boxshipd` is.

For two purposes: benchmarks measure beside it, and `pytest --engine=dockerd tests/e2e` runs our
tests against it, to prove that what they ask for is what Docker does.
"""

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from support.engine import Engine


def is_installed() -> bool:
    return shutil.which("dockerd") is not None


class Dockerd(Engine):
    """dockerd in a network namespace of its own, so that it leaves the host's firewall alone.

    Without ``own_network`` it is in the caller's, or in that at the path ``namespace``. It is the
    dockerd of PATH, or that of ``programs``, directories that come before PATH.
    """

    def __init__(
        self,
        *flags: str,
        own_network: bool = True,
        namespace: str = "",
        programs: Sequence[Path] = (),
    ) -> None:
        super().__init__(*flags, networks=True, namespace=namespace)
        self._netns = self.home.name if own_network and not namespace else ""
        if self._netns:
            subprocess.run(["ip", "netns", "add", self._netns], check=True)
            self._enter = ["nsenter", f"--net=/run/netns/{self._netns}"]
        if programs:
            path = ":".join([*map(str, programs), os.environ.get("PATH", "")])
            self._enter = ["env", f"PATH={path}", *self._enter]
        (self.home / "daemon.json").write_text("{}")

    @property
    def command(self) -> list[str]:
        return [*self._enter, "dockerd", f"--config-file={self.home / 'daemon.json'}", *self.flags]

    def remains(self) -> dict[str, Sequence[object]]:
        """Not asked of Docker's daemon."""
        return {}

    def descriptors(self) -> list[str]:
        """Nor this."""
        return []

    def mounts(self) -> list[str]:
        # The daemon's own: its data root bound onto itself, the namespace handles of its network.
        return [point for point in super().mounts() if "/overlay2/" in point]

    def close(self) -> None:
        try:
            super().close()
        finally:
            if self._netns:
                subprocess.run(["ip", "netns", "delete", self._netns], check=True)

    def _sweep(self) -> None:
        for point in reversed(Engine.mounts(self)):
            if not self._netns or point != f"/run/netns/{self._netns}":
                subprocess.run(["umount", "--lazy", point], check=False)
        super()._sweep()

    def cgroups(self) -> list[str]:
        return [path for path in super().cgroups() if os.path.isdir(path)]
