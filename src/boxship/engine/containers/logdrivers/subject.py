"""What is told of a container to who keeps its log."""

from collections.abc import Mapping
from dataclasses import dataclass

from boxship.base.ids import SHORT

DAEMON: str = "docker"
"""What ``{{.DaemonName}}`` is: what reads the logs knows it by Docker's name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A container as log drivers know it."""

    container_id: str
    name: str
    """Without a slash in front."""
    image_id: str
    """With ``sha256:`` in front, as Docker has it."""
    image_name: str
    command: tuple[str, ...]
    created: str
    """RFC 3339, in UTC."""
    labels: Mapping[str, str]
    env: tuple[str, ...]
    log_path: str = ""
    hostname: str = ""
    """Of the machine."""
    options: Mapping[str, str]

    @property
    def short_id(self) -> str:
        return self.container_id[:SHORT]
