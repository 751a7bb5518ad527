"""What ``RUN --mount`` asks for, as types; ``mounting.py`` reads them."""

from dataclasses import dataclass
from enum import Enum


class Sharing(Enum):
    """Who may use a cache mount while somebody does."""

    SHARED = "shared"
    PRIVATE = "private"
    LOCKED = "locked"


@dataclass(frozen=True, slots=True)
class Owner:
    """Ids and permissions of what a mount makes; ``None`` is the default of its type."""

    uid: int | None = None
    gid: int | None = None
    mode: int | None = None


@dataclass(frozen=True, slots=True)
class BindMount:
    """Files of a stage, an image, a named context (``origin``) or of the context (``None``).

    What is written to it with ``writable`` is lost after the step.
    """

    target: str
    source: str = ""
    origin: str | None = None
    writable: bool = False


@dataclass(frozen=True, slots=True)
class CacheMount:
    """A directory that is kept between builds. An empty ``id`` means the target's path."""

    target: str
    id: str = ""
    sharing: Sharing = Sharing.SHARED
    origin: str | None = None
    source: str = ""
    writable: bool = True
    owner: Owner = Owner()


@dataclass(frozen=True, slots=True)
class TmpfsMount:
    """Memory. ``size`` in bytes, 0 for the kernel's default."""

    target: str
    size: int = 0


@dataclass(frozen=True, slots=True)
class SecretMount:
    """A client's secret as a file, as an environment variable (``variable``), or both.

    ``target`` is empty if it is a variable only.
    """

    id: str
    target: str = ""
    variable: str | None = None
    required: bool = False
    owner: Owner = Owner()


@dataclass(frozen=True, slots=True)
class SshMount:
    """A socket of the client's ssh agent. An empty ``target`` is the default path."""

    id: str = "default"
    target: str = ""
    required: bool = False
    owner: Owner = Owner()


Mount = BindMount | CacheMount | TmpfsMount | SecretMount | SshMount
