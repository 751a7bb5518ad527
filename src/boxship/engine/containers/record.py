"""What the engine remembers of a container: ``ContainerRecord``, persisted, frozen, as JSON.

A field added later gets a default here and needs no migration. Times are nanoseconds since the
epoch (0: never). Nothing in here is live: the processes' handles are in ``live.py``.
"""

from enum import StrEnum

import msgspec
from msgspec import Struct

from boxship.engine.containers.health.state import Health
from boxship.engine.networks.endpoint import EndpointRecord
from boxship.engine.networks.record import predefined_id
from boxship.model.container import ContainerConfig, HostConfig
from boxship.model.ports import PublishedPort


class Status(StrEnum):
    """Where a container stands; the allowed steps between these are in ``states.py``."""

    CREATED = "created"
    RUNNING = "running"
    PAUSED = "paused"
    RESTARTING = "restarting"
    REMOVING = "removing"
    EXITED = "exited"
    DEAD = "dead"


class ContainerState(Struct, frozen=True):
    """The changing part. ``pid`` is 0 unless running or paused."""

    status: Status = Status.CREATED
    pid: int = 0
    exit_code: int = 0
    error: str = ""
    oom_killed: bool = False
    started_ns: int = 0
    finished_ns: int = 0
    restart_count: int = 0
    """How often its policy has started it since a person did."""
    pause: float = 0.0
    """Seconds between its last end and its next start, if the policy wants one; kept, so that a
    daemon that is killed again and again does not make a failing container start the faster."""
    stopped_by_user: bool = False
    """A person stopped or killed it; ``unless-stopped`` and the other policies heed that."""
    held: bool = False
    """Paused by the daemon itself, which reads its files; not by a person. Set before the pause, so
    that a daemon that is killed meanwhile knows whom to let go."""
    volumes_too: bool = False
    """It is being removed, and those of its volumes with it that have no name; kept, so that who
    finishes a removal that was broken off does what was asked for."""
    boot_id: str = ""
    """The machine's run in which it was started. Unlike times, it can't be set: it tells for sure
    whether the machine went down since."""
    health: Health | None = None
    """None without health check."""

    @property
    def running(self) -> bool:
        """Docker's ``State.Running``: true also for one that is paused or will start again."""
        return self.status in (Status.RUNNING, Status.PAUSED, Status.RESTARTING)

    @property
    def alive(self) -> bool:
        """Tell whether it has processes."""
        return self.status in (Status.RUNNING, Status.PAUSED)

    @property
    def paused(self) -> bool:
        return self.status is Status.PAUSED


class MountPoint(Struct, frozen=True):
    """One mount as it was resolved at create; ``inspect`` shows these as ``Mounts``.

    ``type`` is ``bind``, ``tmpfs``, ``volume`` or ``image``; ``mode`` is the text after a bind's
    second colon. The source of an image is its name as it was given.
    """

    type: str
    destination: str
    source: str = ""
    mode: str = ""
    read_write: bool = True
    propagation: str = ""
    options: tuple[str, ...] = ()
    """Further mount options: ``rbind`` or ``bind``; for a tmpfs ``size=…`` and the like."""
    name: str = ""
    driver: str = ""
    volume_id: str = ""
    anonymous: bool = False
    """Nobody gave the volume a name; it goes with the container, if that is asked for."""
    copy: bool = False
    """The volume gets what the image has there, if it is empty when the container is made."""
    subpath: str = ""
    """The part of a volume or image that is mounted, relative to its root; empty: all of it."""
    image_id: str = ""
    layers: tuple[str, ...] = ()
    """Of an image; lowest first."""


class LinkRecord(Struct, frozen=True):
    """A link to another container, which stays one when that is renamed."""

    container_id: str
    alias: str


class ContainerRecord(Struct, frozen=True):
    """A container. ``name`` has no leading slash; ``config`` is merged with the image's."""

    id: str
    name: str
    created_ns: int
    image_id: str
    """``sha256:`` and 64 digits; empty for none."""
    path: str
    """The command's first word; ``args`` the rest (entry point and command joined)."""
    args: tuple[str, ...]
    config: ContainerConfig
    host: HostConfig
    state: ContainerState = ContainerState()
    layers: tuple[str, ...] = ()
    """What the snapshot was made of, lowest first."""
    driver: str = "overlay2"
    platform: str = "linux"
    log_path: str = ""
    hostname_path: str = ""
    hosts_path: str = ""
    resolv_conf_path: str = ""
    mounts: tuple[MountPoint, ...] = ()
    endpoints: tuple[EndpointRecord, ...] = ()
    """Its places in networks, ``none`` and ``host`` among them; none with ``container:X``."""
    ports: tuple[PublishedPort, ...] = ()
    """What the host offers of it while it runs; what was asked for is in ``host``."""
    links: tuple[LinkRecord, ...] = ()
    """What ``host.links`` means; they have an effect on the default bridge."""
    last_used_ns: int = 0
    inherited_labels: tuple[str, ...] = ()
    """Names of those labels that its image brought along, and nobody asked for."""

    @property
    def given_labels(self) -> dict[str, str]:
        """The labels that whoever made it has given it."""
        labels = self.config.labels or {}
        return {name: labels[name] for name in labels if name not in self.inherited_labels}

    @property
    def image_ref(self) -> str:
        """The image as it was asked for."""
        return self.config.image

    @property
    def status(self) -> Status:
        return self.state.status

    @property
    def networks(self) -> tuple[str, ...]:
        """Names of the networks it is on."""
        return tuple(endpoint.network for endpoint in self.endpoints)

    def with_state(self, state: ContainerState) -> "ContainerRecord":
        """Return the record with another state."""
        return msgspec.structs.replace(self, state=state)


class _OlderRecord(Struct, frozen=True):
    """Until there were endpoints, a record had the names of networks: ``none`` or ``host``."""

    networks: tuple[str, ...] = ()


_DECODER = msgspec.json.Decoder(ContainerRecord)
_OLDER_DECODER = msgspec.json.Decoder(_OlderRecord)
_ENCODER = msgspec.json.Encoder()


def encode_record(record: ContainerRecord) -> bytes:
    """Write the record as it stands in the database."""
    return _ENCODER.encode(record)


def decode_record(body: bytes) -> ContainerRecord:
    """Read what :func:`encode_record` wrote, also of an older version."""
    record = _DECODER.decode(body)
    if record.endpoints or not (names := _OLDER_DECODER.decode(body).networks):
        return record
    endpoints = tuple(EndpointRecord(predefined_id(name), name) for name in names)
    return msgspec.structs.replace(record, endpoints=endpoints)
