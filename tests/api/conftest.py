"""A backend of fakes, and a server of the API over it on a unix socket, with either event loop."""

from __future__ import annotations  # FakeContainers.list hides the builtin

import asyncio
import os
import re
import socket
import threading
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Collection,
    Iterator,
    Sequence,
)
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import pytest
import uvloop

from boxship.api.application import Application
from boxship.api.authorization import Gate
from boxship.api.backend import Backend
from boxship.api.errors import answer_error
from boxship.api.facts import DaemonFacts, HostFacts, Release, RuntimeFacts
from boxship.api.headers import COMMON
from boxship.api.http.entrance import MAIN, Entrance
from boxship.api.http.server import Server
from boxship.base.errors import ConflictError, NotFoundError, NotModifiedError
from boxship.base.metrics import Family, gauge
from boxship.distribution.credentials import Credentials
from boxship.distribution.errors import RegistryNotFoundError, RegistryUnauthorizedError
from boxship.distribution.login import LoginOutcome
from boxship.distribution.search import SearchFilters, SearchResult
from boxship.dockerfile.instructions import Dockerfile
from boxship.dockerfile.parsing import parse
from boxship.engine.access.scope import Scope
from boxship.engine.build.clientside import ClientSide
from boxship.engine.build.progress import ProgressEvent, Tell
from boxship.engine.build.requests import (
    BuildRecord,
    BuildRequest,
    BuildResult,
    BuiltImage,
    CacheEntry,
    PruneRequest,
)
from boxship.engine.build.requests import Pruned as PrunedCache
from boxship.engine.containers.record import ContainerRecord, ContainerState, MountPoint, Status
from boxship.engine.containers.requests import (
    AttachRequest,
    ContainerPrune,
    ContainerQuery,
    Counts,
    CreateContainer,
    CreatedContainer,
    ExecConfig,
    ExecView,
    HijackedStream,
    LogLine,
    LogQuery,
    PathStat,
    PortChange,
    PrunedContainers,
    StepDuration,
    TopTable,
    WaitCondition,
    Waiting,
    WaitOutcome,
)
from boxship.engine.events.bus import EventBus
from boxship.engine.housekeeping.trash import Emptied, TrashEntry
from boxship.engine.housekeeping.volumecopies import CopyEvent, CopyVolume
from boxship.engine.images.intake import ImportOptions
from boxship.engine.images.pulling import PullRequest
from boxship.engine.images.pushing import PushRequest
from boxship.engine.images.remote import RemoteImage
from boxship.engine.networks.endpoint import EndpointRecord
from boxship.engine.networks.record import predefined_id
from boxship.engine.volumes.record import VolumeRecord
from boxship.engine.volumes.requests import (
    CreateVolume,
    PrunedVolumes,
    VolumePrune,
    VolumeQuery,
    VolumeSurvey,
    VolumeUse,
    VolumeView,
)
from boxship.model.check import CheckEvent, CheckProgress, CheckSummary, Finding, Outcome
from boxship.model.connection import Connection
from boxship.model.container import ContainerConfig, HostConfig
from boxship.model.explanation import Explanation
from boxship.model.image import (
    Deleted,
    HistoryStep,
    ImageDetail,
    ImageDiskUsage,
    ImagePrune,
    ImageQuery,
    ImageSummary,
    LoadEvent,
    ManifestSummary,
    Pruned,
    RemovedImage,
    StorageDetail,
    TransferEvent,
    Untagged,
)
from boxship.model.requester import NOBODY, Requester
from boxship.model.statistics import Statistics
from boxship.model.why import Why
from boxship.oci.digest import Digest
from boxship.oci.image import Descriptor, ImageConfig, PlatformDocument
from boxship.oci.platform import Platform
from support import described
from support.fakemanaged import FakeManaged
from support.fakenetworks import FakeNetworks

SECOND = 1_000_000_000
NOW = 1_800_000_000 * SECOND
IMAGE = "sha256:" + "ab" * 32


class FakeChecker:
    """Has found a layer that lost something, and one thing that could be repaired."""

    async def check(self, *, repair: bool) -> AsyncGenerator[CheckEvent, None]:
        yield CheckProgress("layer", "sha256:ab", 5, 10)
        if not repair:
            raise ConflictError("the store is being checked already")
        yield Finding("layer", "sha256:ab", "is missing", Outcome.LOST, "etc/x", images=("a:1",))
        yield CheckSummary(blobs=1, layers=2, snapshots=3, repaired=1, remaining=1)


class FakeVolumes:
    """There is one, of five bytes, that nobody has."""

    def __init__(self) -> None:
        record = VolumeRecord("1" * 64, "vol", NOW, labels={"a": "b"})
        self.view = VolumeView(record, "/data/vol")
        self.asked: list[object] = []

    def list(self, query: VolumeQuery | None = None) -> list[VolumeView]:
        self.asked.append(query)
        return [self.view]

    async def survey(self, query: VolumeQuery) -> VolumeSurvey:
        return VolumeSurvey(tuple(self.list(query)))

    def inspect(self, name: str) -> VolumeView:
        if name != "vol":
            raise NotFoundError(f"get {name}: no such volume")
        return self.view

    async def look(self, name: str) -> VolumeView:
        return self.inspect(name)

    async def usage(self) -> list[VolumeUse]:
        return [VolumeUse(self.view, 5, 0)]

    async def create(self, request: CreateVolume) -> VolumeView:
        self.asked.append(request)
        return self.view

    async def remove(self, name: str, *, force: bool = False) -> None:
        self.asked.append(("remove", name, force))

    async def plan_prune(self, wanted: VolumePrune, without: Collection[str] = ()) -> PrunedVolumes:
        self.asked.append(("plan", wanted, without))
        return PrunedVolumes(("vol",), 5)

    async def rename(self, name: str, new_name: str) -> None:
        self.asked.append(("rename", name, new_name))

    async def prune(self, wanted: VolumePrune) -> PrunedVolumes:
        self.asked.append(wanted)
        return PrunedVolumes(("vol",), 5)


class FixedClock:
    def now_ns(self) -> int:
        return NOW


def make_record(
    name: str, *, status: Status = Status.RUNNING, tty: bool = False
) -> ContainerRecord:
    letter = f"{ord(name[0]):02x}"
    return ContainerRecord(
        id=letter * 32,
        name=name,
        created_ns=NOW - 600 * SECOND,
        image_id=IMAGE,
        path="sh",
        args=("-c", "echo hi"),
        config=ContainerConfig(image="busybox", cmd=("sh", "-c", "echo hi"), tty=tty),
        host=HostConfig(network_mode="none", annotations={"a": "b"}),
        state=ContainerState(status=status, pid=77, started_ns=NOW - 120 * SECOND),
        mounts=(MountPoint("bind", "/inside", "/outside"),),
        endpoints=(EndpointRecord(predefined_id("none"), "none"),),
    )


@dataclass
class FakeContainers:
    """Remembers what it was asked; what it answers is set by the test."""

    records: dict[str, ContainerRecord] = field(default_factory=dict)
    asked: list[tuple[str, object]] = field(default_factory=list)
    requesters: list[Requester] = field(default_factory=list)
    waiting: list[Waiting] = field(default_factory=list)
    batches: list[list[LogLine]] = field(default_factory=list)
    follow_forever: bool = False
    log_closed: threading.Event = field(default_factory=threading.Event)
    registered: threading.Event = field(default_factory=threading.Event)
    on_stream: Callable[[int, bytes], None] | None = None
    refuse_stream: Exception | None = None
    exec_config: ExecConfig = field(default_factory=lambda: ExecConfig(cmd=("true",)))

    def get(self, reference: str) -> ContainerRecord:
        for record in self.records.values():
            if reference in (record.id, record.name):
                return record
        raise NotFoundError(f"No such container: {reference}")

    def list(self, query: ContainerQuery) -> list[ContainerRecord]:
        self.asked.append(("list", query))
        return [r for r in self.records.values() if query.all or r.state.running]

    def counts(self) -> Counts:
        return Counts(running=1, paused=2, stopped=3)

    def storage(self, reference: str) -> dict[str, str]:
        return {"UpperDir": f"/snapshots/{reference}/upper"}

    def execs(self, reference: str) -> list[str]:
        return []

    async def connections(
        self, reference: str = "", verdict: str = "", most: int = 0
    ) -> list[Connection]:
        self.asked.append(("connections", (reference, verdict, most)))
        return [Connection("t", "deny", "c", "web", "172.17.0.2", "203.0.113.9", "tcp", 443)]

    def port_decided_by(self, address: str) -> str:
        return ""

    async def update(
        self, reference: str, wanted: HostConfig, change: PortChange | None = None
    ) -> tuple[str, ...]:
        self.get(reference)
        self.asked.append(("update", wanted))
        if change:
            self.asked.append(("ports", change))
        return ("a warning",) if wanted.blkio_weight else ()

    async def checkpoint(
        self, reference: str, name: str, directory: str = "", *, leave_running: bool = False
    ) -> None:
        self.asked.append(("checkpoint", (reference, name, directory, leave_running)))

    def checkpoints(self, reference: str, directory: str = "") -> list[str]:
        return [f"{self.get(reference).name}-{directory}"]

    async def remove_checkpoint(self, reference: str, name: str, directory: str = "") -> None:
        self.asked.append(("remove_checkpoint", (reference, name, directory)))

    async def sizes(self, ids: Sequence[str]) -> dict[str, tuple[int, int]]:
        return dict.fromkeys(ids, (5, 12))

    async def follow_statistics(self, reference: str) -> AsyncGenerator[Statistics, None]:
        for second in ("1", "2"):
            yield Statistics(reference, "ID", read=second)

    async def statistics(self, reference: str, *, at_once: bool = False) -> Statistics:
        return Statistics(f"/{self.get(reference).name}", "ID", read=str(at_once))

    async def explain(self, reference: str) -> Explanation:
        found = self.get(reference)
        return Explanation(
            id=found.id, name=found.name, status="running", pid=1, runtime="r", image="i",
            command=("true",),
        )  # fmt: skip

    async def top(self, reference: str, ps_args: str = "-ef") -> TopTable:
        return TopTable(("PID", "CMD"), (("1", ps_args),))

    def logs(self, reference: str, query: LogQuery) -> AsyncIterator[list[LogLine]]:
        self.asked.append(("logs", query))
        return self._lines()

    async def _lines(self) -> AsyncIterator[list[LogLine]]:
        try:
            for batch in self.batches:
                yield batch
            if self.follow_forever:
                self.registered.set()
                await asyncio.Event().wait()
        finally:
            self.log_closed.set()

    async def create(self, request: CreateContainer) -> CreatedContainer:
        self.asked.append(("create", request))
        return CreatedContainer("cd" * 32, ("careful",))

    async def start(
        self,
        reference: str,
        *,
        detach_keys: str | None = None,
        checkpoint: tuple[str, str] | None = None,
        by: Requester = NOBODY,
    ) -> tuple[StepDuration, ...]:
        self.requesters.append(by)
        self.asked.append(("start", checkpoint))
        if self.get(reference).state.running:
            raise NotModifiedError("it runs already")
        return (StepDuration("fork", 1_500_000),)

    async def stop(
        self,
        reference: str,
        *,
        signal: str | None = None,
        timeout: int | None = None,  # noqa: ASYNC109 - of the container
        by: Requester = NOBODY,
    ) -> None:
        self.requesters.append(by)
        self.asked.append(("stop", (signal, timeout)))

    async def kill(
        self, reference: str, signal: str = "SIGKILL", *, by: Requester = NOBODY
    ) -> None:
        self.requesters.append(by)
        self.asked.append(("kill", signal))

    async def restart(
        self,
        reference: str,
        *,
        signal: str | None = None,
        timeout: int | None = None,  # noqa: ASYNC109
        by: Requester = NOBODY,
    ) -> None:
        self.requesters.append(by)
        self.asked.append(("restart", (signal, timeout)))

    async def pause(self, reference: str, *, by: Requester = NOBODY) -> None:
        raise ConflictError(f"Container {reference} is already paused")

    async def unpause(self, reference: str, *, by: Requester = NOBODY) -> None:
        raise RuntimeError("a defect")

    async def rename(self, reference: str, new_name: str) -> None:
        self.asked.append(("rename", new_name))

    async def connect(self, reference: str, wish: EndpointRecord) -> None:
        self.asked.append(("connect", (reference, wish)))

    async def disconnect(self, reference: str, network: str) -> None:
        self.asked.append(("disconnect", (reference, network)))

    def lost_log_lines(self, reference: str) -> int:
        return 0

    def links(self, reference: str) -> tuple[str, ...]:
        return ()

    async def wait(
        self, reference: str, condition: WaitCondition = WaitCondition.NOT_RUNNING
    ) -> Waiting:
        self.get(reference)
        self.asked.append(("wait", condition))
        future: Waiting = asyncio.get_running_loop().create_future()
        future.add_done_callback(lambda f: self.log_closed.set() if f.cancelled() else None)
        self.waiting.append(future)
        self.registered.set()
        return future

    def end(self, outcome: WaitOutcome) -> None:
        """Let every wait come true; called from the test's thread."""
        for future in self.waiting:
            future.get_loop().call_soon_threadsafe(future.set_result, outcome)

    async def remove(
        self,
        reference: str,
        *,
        force: bool = False,
        volumes: bool = False,
        link: bool = False,
        by: Requester = NOBODY,
    ) -> None:
        self.requesters.append(by)
        self.asked.append(("remove", (force, volumes, link)))

    async def prune(self, wanted: ContainerPrune) -> PrunedContainers:
        self.asked.append(("prune", wanted))
        return PrunedContainers(("f" * 64,), 5)

    async def attach(self, reference: str, request: AttachRequest, stream: HijackedStream) -> None:
        self.asked.append(("attach", request))
        await self._take(stream)

    async def _take(self, stream: HijackedStream) -> None:
        if self.refuse_stream is not None:
            raise self.refuse_stream
        detached = await stream.detach()
        assert self.on_stream is not None
        threading.Thread(target=self.on_stream, args=(detached.fd, detached.prefix)).start()

    async def resize(self, reference: str, height: int, width: int) -> None:
        self.asked.append(("resize", (height, width)))

    async def exec_create(self, reference: str, config: ExecConfig) -> str:
        self.asked.append(("exec_create", config))
        return "ef" * 32

    async def exec_start(
        self,
        exec_id: str,
        *,
        detach: bool = False,
        tty: bool = False,
        console_size: tuple[int, int] | None = None,
        stream: HijackedStream | None = None,
    ) -> None:
        self.asked.append(("exec_start", (detach, tty, console_size)))
        if stream is not None:
            await self._take(stream)

    def exec_inspect(self, exec_id: str) -> ExecView:
        return ExecView(exec_id, "63" * 32, self.exec_config, "true", ())

    async def exec_resize(self, exec_id: str, height: int, width: int) -> None:
        self.asked.append(("exec_resize", (height, width)))


@dataclass
class FakeResolved:
    id: str


@dataclass
class FakeImages:
    """One image, busybox, and whatever archive it is given."""

    asked: list[tuple[str, object]] = field(default_factory=list)
    uploaded: bytes = b""
    load_events: list[LoadEvent | Exception] = field(default_factory=list)
    manifests: tuple[ManifestSummary, ...] = ()
    pull_events: list[TransferEvent | Exception] = field(default_factory=list)
    push_events: list[TransferEvent | Exception] = field(default_factory=list)

    def _check(self, reference: str) -> None:
        if reference not in ("busybox", "reg.example:5000/a/b:1"):
            raise NotFoundError(f"No such image: {reference}")

    def resolve(self, reference: str, platform: object = None) -> FakeResolved:
        self._check(reference)
        return FakeResolved(IMAGE)

    async def load(
        self, archive: AsyncIterator[bytes], platforms: Collection[Platform] = ()
    ) -> AsyncIterator[LoadEvent]:
        self.asked.append(("load", tuple(platforms)))
        async for chunk in archive:
            self.uploaded += chunk
        for event in self.load_events:
            if isinstance(event, Exception):
                raise event
            yield event

    def save(
        self, references: list[str], platforms: Collection[Platform] = ()
    ) -> AsyncIterator[bytes]:
        self.asked.append(("save", list(references)))
        for reference in references:
            self._check(reference)
        return self._archive()

    async def _archive(self) -> AsyncIterator[bytes]:
        for _ in range(64):
            yield b"x" * 65536

    async def push(self, request: PushRequest) -> AsyncGenerator[TransferEvent, None]:
        self.asked.append(("push", request))
        for event in self.push_events:
            if isinstance(event, Exception):
                raise event
            yield event

    async def pull(self, request: PullRequest) -> AsyncGenerator[TransferEvent, None]:
        self.asked.append(("pull", request))
        for event in self.pull_events:
            if isinstance(event, Exception):
                raise event
            yield event

    async def import_(self, archive: AsyncIterator[bytes], options: ImportOptions) -> Digest:
        async for chunk in archive:
            self.uploaded += chunk
        self.asked.append(("import", options))
        return Digest.parse(IMAGE)

    async def tag(self, source: str, repository: str, tag: str = "") -> None:
        self.asked.append(("tag", (source, repository, tag)))

    async def remove(
        self,
        reference: str,
        *,
        force: bool = False,
        prune_parents: bool = True,
        platforms: Collection[Platform] = (),
    ) -> list[RemovedImage]:
        self._check(reference)
        if platforms:
            self.asked.append(("remove", tuple(platforms)))
        return [Untagged("busybox:latest"), Deleted(IMAGE)]

    def list(self, query: ImageQuery) -> list[ImageSummary]:
        self.asked.append(("list", query))
        manifests = self.manifests
        return [ImageSummary(IMAGE, "", ("busybox:latest",), (), NOW, 5, {}, manifests=manifests)]

    def inspect(
        self, reference: str, platform: Platform | None = None, *, manifests: bool = False
    ) -> ImageDetail:
        self.asked.append(("inspect", manifests))
        self._check(reference)
        return ImageDetail(
            id=IMAGE, tags=("busybox:latest",), digests=(), parent_id="", comment="", author="",
            created="2024-01-01T00:00:00Z", created_ns=NOW, config=ImageConfig(cmd=("sh",)),
            container="", docker_version="", architecture="amd64", variant="", os="linux",
            os_version="", size=5, storage=StorageDetail("overlay2", {}), layers=(IMAGE,),
            last_tagged_ns=0,
        )  # fmt: skip

    def history(self, reference: str, platform: Platform | None = None) -> list[HistoryStep]:
        self._check(reference)
        return [HistoryStep(IMAGE, NOW, "made", ("busybox:latest",), 5, "")]

    def count(self) -> int:
        return 1

    def disk_usage(self) -> ImageDiskUsage:
        return ImageDiskUsage(active=1, count=1, size=5, reclaimable=2)

    async def prune(self, wanted: ImagePrune) -> Pruned:
        self.asked.append(("prune", wanted))
        return Pruned((Untagged("busybox:latest"), Deleted(IMAGE)), 5)

    async def ensure_builtin(self, reference: str) -> Digest:
        if not reference.startswith("hello-world"):
            raise NotFoundError(f"pull access denied for {reference}")
        return Digest.parse(IMAGE)


class FakeSystem:
    """A machine with cgroup v2, and a daemon with one label."""

    host = HostFacts(
        name="box",
        kernel="6.1",
        machine="x86_64",
        operating_system="Debian",
        os_version="12",
        cpus=2,
        memory=1 << 30,
        cgroup_version=2,
        controllers=frozenset({"cpu", "cpuset", "memory", "pids"}),
        swap_limit=True,
        oom_kill_disable=False,
        cpu_quota=True,
        ip_forwarding=True,
        seccomp=True,
    )
    release = Release("0.1")

    def families(self) -> list[Family]:
        return [gauge("engine_daemon_engine_cpus_cpus", "Processors", 2)]

    daemon = DaemonFacts(
        id="ID",
        version="0.1",
        data_root="/data",
        debug=False,
        labels=("a=b",),
        log_driver="json-file",
        storage_driver="overlay2",
        storage_status=(),
        live_restore=False,
        runtimes={"boxship": RuntimeFacts("boxship-runtime")},
        default_runtime="boxship",
        private_cgroup_namespaces=True,
    )


@dataclass
class Client:
    """A raw client: what the tests send is what goes over the wire."""

    path: str

    def connect(self) -> socket.socket:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.settimeout(20)
        sock.connect(self.path)
        return sock

    def send(self, data: bytes) -> bytes:
        """Send bytes on a connection of their own and return all that comes back."""
        with self.connect() as sock:
            sock.sendall(data)
            return read_to_end(sock)

    def request(
        self, method: str, path: str, body: bytes = b"", content_type: str = "application/json"
    ) -> Answer:
        kind = f"Content-Type: {content_type}\r\n" if content_type else ""
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n{kind}"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        answer = Answer.parse(self.send(head.encode() + body))
        self._compare(method, path, answer)
        return answer

    def _compare(self, method: str, path: str, answer: Answer) -> None:
        """Hold an answer in the newest version against the API's own description."""
        path = path.partition("?")[0].removeprefix("/v1.56")
        if not re.match(r"/v[0-9]", path) and method != "OPTIONS":
            media = answer.headers.get("Content-Type", "")
            faults = described.ours().faults(method, path, answer.status, media, answer.body)
            assert not faults

    def json(self, path: str) -> object:
        answer = self.request("GET", path)
        assert answer.status == 200, answer.body
        return msgspec.json.decode(answer.body)


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @classmethod
    def parse(cls, data: bytes) -> Answer:
        head, _, body = data.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines)
        if headers.get("Transfer-Encoding") == "chunked":
            body = unchunk(body)
        return cls(int(first.split()[1]), headers, body)

    @property
    def message(self) -> str:
        return msgspec.json.decode(self.body)["message"]


def unchunk(data: bytes) -> bytes:
    whole = b""
    while True:
        size, _, data = data.partition(b"\r\n")
        if int(size, 16) == 0:
            assert data == b"\r\n"
            return whole
        whole += data[: int(size, 16)]
        data = data[int(size, 16) + 2 :]


def read_to_end(sock: socket.socket) -> bytes:
    data = b""
    while chunk := sock.recv(1 << 16):
        data += chunk
    return data


class FakeRegistries:
    """What was asked, and an answer each."""

    def __init__(self) -> None:
        self.asked: list[object] = []

    async def login(self, server: str, credentials: Credentials) -> LoginOutcome:
        self.asked.append((server, credentials))
        if credentials.password != "right":
            raise RegistryUnauthorizedError("unauthorized: incorrect username or password")
        return LoginOutcome("Login Succeeded", "refresh")

    async def search(
        self, term: str, credentials: Credentials | None, limit: int, filters: SearchFilters
    ) -> tuple[SearchResult, ...]:
        self.asked.append((term, credentials, limit, filters))
        return (SearchResult("me/app", "An app", 3),)

    async def inspect(self, name: str, credentials: Credentials | None) -> RemoteImage:
        self.asked.append((name, credentials))
        if name == "gone":
            raise RegistryNotFoundError("manifest unknown: manifest unknown")
        descriptor = Descriptor("application/json", f"sha256:{'a' * 64}", 7)
        return RemoteImage(descriptor, (PlatformDocument("amd64", "linux"),))


def read_head(sock: socket.socket) -> bytes:
    """Read up to the empty line and not one byte further."""
    data = b""
    while not data.endswith(b"\r\n\r\n"):
        byte = sock.recv(1)
        assert byte, data
        data += byte
    return data


class FakeVolumeCopies:
    """None can be made."""

    async def copy(self, name: str, wish: CopyVolume) -> AsyncGenerator[CopyEvent, None]:
        raise NotFoundError(f"get {name}: no such volume")
        yield

    async def export(self, name: str) -> AsyncGenerator[bytes, None]:
        yield name.encode()

    async def import_(self, request: CreateVolume, archive: AsyncIterator[bytes]) -> VolumeView:
        raise NotFoundError(request.name)

    async def look(self, name: str, path: str) -> PathStat:
        raise NotFoundError(path)

    async def read_files(self, name: str, path: str) -> AsyncGenerator[bytes, None]:
        yield path.encode()

    async def write_files(
        self, name: str, path: str, archive: AsyncIterator[bytes], *, keep_kinds: bool
    ) -> None:
        raise NotFoundError(path)


class FakeReasons:
    async def container(self, reference: str) -> Why:
        return self._of("container", reference)

    async def image(self, reference: str) -> Why:
        return self._of("image", reference)

    async def volume(self, name: str) -> Why:
        return self._of("volume", name)

    async def network(self, reference: str) -> Why:
        return self._of("network", reference)

    async def port(self, number: int, protocol: str) -> Why:
        return self._of("port", f"{number}/{protocol}")

    async def disk(self) -> Why:
        return self._of("disk", "")

    def _of(self, kind: str, name: str) -> Why:
        return Why(kind=kind, id=name, name=name, answer="Because.")


class FakeBuilder:
    """Tells what the test has it tell, and remembers what it was asked."""

    def __init__(self) -> None:
        self.requests: list[BuildRequest] = []
        self.asked: list[object] = []
        self.clients: list[ClientSide] = []
        self.events: list[ProgressEvent] = []
        self.failure: Exception | None = None
        self.dockerfile = "FROM scratch\n"
        self.endless = False
        self.ended = threading.Event()
        self.script: Callable[[ClientSide, Tell], Awaitable[None]] | None = None
        """What it does with its client besides."""
        self.response: dict[str, str] = {}
        self.records: list[BuildRecord] = []

    async def build(self, request: BuildRequest, client: ClientSide, tell: Tell) -> BuildResult:
        self.requests.append(request)
        self.clients.append(client)
        try:
            for event in self.events:
                tell(event)
            if self.script is not None:
                await self.script(client, tell)
            if self.endless:
                await asyncio.Event().wait()
        finally:
            self.ended.set()
        if self.failure is not None:
            raise self.failure
        images = (BuiltImage(Platform("linux", "amd64"), b"{}", (), IMAGE),)
        return BuildResult("r", images, self.response)

    async def read(self, request: BuildRequest, client: ClientSide) -> Dockerfile:
        self.requests.append(request)
        return parse(self.dockerfile)

    async def cancel(self, reference: str) -> None:
        self.asked.append(("cancel", reference))

    async def usage(self) -> list[CacheEntry]:
        return [CacheEntry("one", "regular", "RUN make", 5, NOW)]

    async def prune(self, request: PruneRequest) -> PrunedCache:
        self.asked.append(request)
        return PrunedCache((CacheEntry("one", "regular", "RUN make", 5, NOW),))

    async def history(self) -> list[BuildRecord]:
        return self.records

    async def told(self, reference: str) -> list[ProgressEvent]:
        return self.events

    async def forget(self, reference: str) -> None:
        self.asked.append(("forget", reference))


class FakeUploads:
    """Takes archives as they are: the directory's name tells their bytes."""

    @asynccontextmanager
    async def unpacked(self, archive: AsyncIterator[bytes]) -> AsyncIterator[str]:
        yield "/" + b"".join([chunk async for chunk in archive]).decode()


class FakeAccess:
    """There are no scopes."""

    def list(self) -> list[Scope]:
        return []


class FakeTrash:
    """Empty, and off."""

    is_on = False

    async def list(self) -> list[TrashEntry]:
        return []

    async def restore(self, reference: str, name: str = "") -> TrashEntry:
        raise NotFoundError(f"no {reference} in the trash")

    async def empty(self, references: Sequence[str] = ()) -> Emptied:
        return Emptied((), 0)


@dataclass
class Api:
    """A running API and what is behind it."""

    client: Client
    containers: FakeContainers
    images: FakeImages
    networks: FakeNetworks
    registries: FakeRegistries
    volumes: FakeVolumes
    events: EventBus
    loop: asyncio.AbstractEventLoop
    server: Server
    builder: FakeBuilder
    managed: FakeManaged

    def call(self, function: Callable[[], object]) -> None:
        """Run something in the server's loop."""
        self.loop.call_soon_threadsafe(function)


class FakeMetrics:
    """One family."""

    async def families(self) -> list[Family]:
        return [gauge("boxship_images", "Images", 3)]


class FakeAdoption:
    """Nobody asks it for anything."""


class FakeContainerFiles:
    """Nobody asks it for anything."""


def make_backend(
    containers: FakeContainers | None = None, images: FakeImages | None = None, **parts: object
) -> Backend:
    """Return fakes of everything; ``parts`` in the places of theirs."""
    fakes: dict[str, object] = {
        "reasons": FakeReasons,
        "metrics": FakeMetrics,
        "builds": FakeBuilder,
        "uploads": FakeUploads,
        "access": FakeAccess,
        "adoption": FakeAdoption,
        "managed": FakeManaged,
        "containers": containers or FakeContainers(),
        "container_files": FakeContainerFiles(),
        "images": images or FakeImages(),
        "networks": FakeNetworks(),
        "registries": FakeRegistries(),
        "events": EventBus(FixedClock()),
        "system": FakeSystem(),
        "clock": FixedClock(),
        "checker": FakeChecker(),
        "volumes": FakeVolumes(),
        "volume_copies": FakeVolumeCopies(),
        "trash": FakeTrash(),
    }
    return Backend(**fakes | parts)  # type: ignore[arg-type]


@contextmanager
def start_api(
    path: str,
    loop: asyncio.AbstractEventLoop,
    tls: object = None,
    gate: Gate | None = None,
    entrance: Entrance = MAIN,
) -> Iterator[Api]:
    containers, images, events = FakeContainers(), FakeImages(), EventBus(FixedClock())
    for record in (make_record("web"), make_record("term", tty=True)):
        containers.records[record.id] = record
    containers.records["x"] = make_record("old", status=Status.EXITED)
    registries, networks, volumes = FakeRegistries(), FakeNetworks(), FakeVolumes()
    builder, managed = FakeBuilder(), FakeManaged()
    backend = make_backend(
        *(containers, images),
        networks=networks,
        registries=registries,
        events=events,
        volumes=volumes,
        builds=lambda: builder,
        managed=lambda: managed,
    )
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(path)
    listener.listen()
    ready = threading.Event()
    stop: asyncio.Event
    api: Api

    async def serve() -> None:
        nonlocal stop, api
        stop = asyncio.Event()
        server = Server(Application(backend, gate).serve, answer_error, COMMON)
        await server.listen(listener, tls and (lambda: tls), entrance)
        api = Api(
            *(Client(path), containers, images, networks, registries, volumes),
            *(events, loop, server, builder, managed),
        )
        ready.set()
        await stop.wait()
        await server.close(2.0)

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    ready.wait()
    try:
        yield api
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
        os.unlink(path)


@pytest.fixture(params=["asyncio", "uvloop"])
def loop(request: pytest.FixtureRequest) -> asyncio.AbstractEventLoop:
    """Both loops, because they differ in how they write, close and pause."""
    return uvloop.new_event_loop() if request.param == "uvloop" else asyncio.new_event_loop()


@pytest.fixture
def api(tmp_path: Path, loop: asyncio.AbstractEventLoop) -> Iterator[Api]:
    with start_api(str(tmp_path / "api.sock"), loop) as running:
        yield running


@pytest.fixture
def running_api() -> Callable[..., AbstractContextManager[Api]]:
    """Start an API on a path, with a loop, and perhaps with TLS."""
    return start_api
