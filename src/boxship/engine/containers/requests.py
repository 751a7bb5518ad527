"""What callers of the container use cases hand in and get back; all frozen, parsed at the edge."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from msgspec import Struct

from boxship.engine.networks.endpoint import EndpointRecord
from boxship.model.connection import Connection
from boxship.model.container import ContainerConfig, HostConfig, PortBinding
from boxship.model.labels import ANY_LABELS, LabelFilter
from boxship.model.requester import NOBODY, Requester

DEFAULT_DETACH_KEYS = "ctrl-p,ctrl-q"


@dataclass(frozen=True)
class CreateContainer:
    """A wish for a container. ``endpoints`` are those of ``NetworkingConfig``, as asked.

    ``shallow_read_only``: a bind that is read-only is so at its top, not what is mounted below.
    """

    config: ContainerConfig
    host: HostConfig
    name: str | None = None
    endpoints: tuple[EndpointRecord, ...] = ()
    platform: str | None = None
    by: Requester = NOBODY
    shallow_read_only: bool = False


@dataclass(frozen=True)
class CreatedContainer:
    id: str
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class ConnectionQuery:
    """Which connections to tell of; ``container`` is a name, an id or the beginning of one."""

    container: str = ""
    verdict: str = ""

    def fits(self, connection: Connection) -> bool:
        """Tell whether a connection is asked for."""
        if self.verdict and connection.verdict != self.verdict:
            return False
        named = connection.name == self.container
        return named or connection.container.startswith(self.container)


@dataclass(frozen=True)
class PortChange:
    """Ports that a container is to publish from now on, or no more.

    ``add`` is as ``HostConfig.port_bindings``; ``remove`` are ports of the host, as
    ``[address:]8080[-8090][/udp]``.
    """

    add: Mapping[str, tuple[PortBinding, ...] | None] = field(default_factory=dict)
    remove: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.add or self.remove)


@dataclass(frozen=True)
class CommitRequest:
    """How a container becomes an image. ``reference`` is ``repo[:tag]`` or empty.

    ``config`` is what the image's is to be, completed from the container's; None: that alone.
    ``changes`` are Dockerfile lines over it. ``pause``: it stands still meanwhile, if it runs.
    """

    reference: str = ""
    comment: str = ""
    author: str = ""
    pause: bool = True
    changes: Sequence[str] = ()
    config: ContainerConfig | None = None


@dataclass(frozen=True)
class PathStat:
    """What is at a path of a container. ``mode`` is the kernel's; ``link_target`` a link's end."""

    name: str
    size: int
    mode: int
    mtime_ns: int
    link_target: str


@dataclass(frozen=True)
class ContainerQuery:
    """Which containers to list, newest first; ``filters`` as in Docker, each word any-of.

    ``all`` includes those that don't run; ``limit`` > 0 means the newest so many of all. A
    ``status`` or ``exited`` filter, too, looks at all.
    """

    all: bool = False
    limit: int = 0
    filters: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class ContainerPrune:
    """Which of the containers that do not run to remove; ``until_ns``: created by then."""

    until_ns: int | None = None
    labels: LabelFilter = ANY_LABELS


@dataclass(frozen=True)
class PrunedContainers:
    """Ids of what was removed, and the bytes it had written."""

    ids: tuple[str, ...]
    reclaimed: int


class WaitCondition(StrEnum):
    NOT_RUNNING = "not-running"
    NEXT_EXIT = "next-exit"
    REMOVED = "removed"


@dataclass(frozen=True)
class WaitOutcome:
    """How it ended; ``error`` is empty unless waiting itself failed."""

    exit_code: int
    error: str = ""


Waiting = asyncio.Future[WaitOutcome]
"""A registered wait. Cancel it when the client has gone."""


@dataclass(frozen=True)
class LogQuery:
    """Which lines of a log. ``tail`` None is all; ``since_ns``/``until_ns`` 0 is no bound."""

    stdout: bool = True
    stderr: bool = True
    since_ns: int = 0
    until_ns: int = 0
    tail: int | None = None
    follow: bool = False


class LogLine(Struct, frozen=True, gc=False):
    """One line of a json-file log, as the file has it.

    ``log`` ends with a newline unless the line goes on in the next entry; ``stream`` is ``stdout``
    or ``stderr``; ``time`` is RFC 3339; ``attrs`` is what ``details`` shows.
    """

    log: str = ""
    stream: str = "stdout"
    time: str = ""
    attrs: dict[str, str] | None = None


@dataclass(frozen=True)
class AttachRequest:
    """``logs`` replays what was written, ``stream`` goes on live; None: default detach keys.

    Without ``framed`` stdout and stderr come as one, as a terminal's output always does.
    """

    stdin: bool = False
    stdout: bool = False
    stderr: bool = False
    logs: bool = False
    stream: bool = False
    detach_keys: str | None = None
    framed: bool = True


@dataclass(frozen=True)
class DetachedStream:
    """A client connection that is the engine's now: ``fd`` is owned by whoever holds this.

    ``prefix`` is what the client had sent already, to be taken as the start of its stdin.
    """

    fd: int
    prefix: bytes = b""


class HijackedStream(Protocol):
    """A client's connection whose answer has not begun yet."""

    async def detach(self) -> DetachedStream:
        """Send the header of the answer, flush it, stop reading, and give the descriptor away."""
        ...


@dataclass(frozen=True)
class StepDuration:
    """One step of a start, and how long it took."""

    name: str
    duration_ns: int


@dataclass(frozen=True)
class ExecConfig:
    """A process to be run in a running container."""

    cmd: tuple[str, ...]
    attach_stdin: bool = False
    attach_stdout: bool = False
    attach_stderr: bool = False
    tty: bool = False
    env: tuple[str, ...] = ()
    working_dir: str = ""
    user: str = ""
    privileged: bool = False
    detach_keys: str | None = None
    console_size: tuple[int, int] | None = None
    """Rows and columns, in this order, as Docker's ``ConsoleSize``."""


@dataclass(frozen=True)
class ExecView:
    """An exec as it is now; ``exit_code`` None: not ended (yet)."""

    id: str
    container_id: str
    config: ExecConfig
    entrypoint: str
    arguments: tuple[str, ...]
    running: bool = False
    exit_code: int | None = None
    pid: int = 0
    can_remove: bool = False


@dataclass(frozen=True)
class TopTable:
    """Columns and rows of ``ps``."""

    titles: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Counts:
    """How many containers there are; a paused one counts as paused alone."""

    running: int = 0
    paused: int = 0
    stopped: int = 0

    @property
    def total(self) -> int:
        return self.running + self.paused + self.stopped
