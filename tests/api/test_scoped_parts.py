"""Parts of the backend within a scope, before fakes: networks, starts, streams that end."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import pytest
from msgspec import structs

from api.conftest import FakeContainers, FixedClock, make_backend, make_record
from boxship.api.authorization import Asked, Gate, Identity
from boxship.api.http.body import ClientGoneError
from boxship.api.http.entrance import Entrance
from boxship.api.http.messages import HandedOver, Response, Stream
from boxship.api.scoped.backend import limited_backend
from boxship.api.scoped.entry import ScopedEntry
from boxship.api.scoped.networks import LimitedNetworks
from boxship.base.errors import ConflictError, ForbiddenError, NotFoundError, UnavailableError
from boxship.engine.access.audit import AuditLog
from boxship.engine.access.permissions import ALL
from boxship.engine.access.scope import Scope
from boxship.engine.access.service import Access, CreateScope
from boxship.engine.containers.requests import PortChange
from boxship.engine.networks.endpoint import EndpointRecord
from boxship.engine.networks.record import NetworkRecord
from boxship.engine.networks.requests import (
    CreatedNetwork,
    CreateNetwork,
    NetworkDetail,
    NetworkQuery,
    PoolRequest,
)
from boxship.engine.records.database import Database
from boxship.engine.records.schema import MIGRATIONS
from boxship.model.container import HostConfig
from support.audited import audited

SCOPE = Scope("ci", tuple(sorted(ALL)), {"team": "ci"})
OURS = {"team": "ci"}


@dataclass
class Networks:
    """Some networks; remembers what it was asked to do."""

    records: dict[str, NetworkRecord] = field(default_factory=dict)
    asked: list[object] = field(default_factory=list)

    def add(self, name: str, **labels: str) -> "Networks":
        self.records[name] = NetworkRecord(f"id of {name}", name, "bridge", 0, labels=labels)
        return self

    def list(self, _query: NetworkQuery) -> list[NetworkRecord]:
        return list(self.records.values())

    def inspect(self, reference: str) -> NetworkDetail:
        for record in self.records.values():
            if reference in (record.id, record.name):
                return NetworkDetail(record)
        raise NotFoundError(f"network {reference} not found")

    async def create(self, request: CreateNetwork) -> CreatedNetwork:
        self.asked.append(request)
        return CreatedNetwork("new")

    async def remove(self, reference: str) -> None:
        self.asked.append(reference)


@pytest.fixture
def networks() -> Networks:
    return Networks().add("bridge").add("mine", team="ci").add("theirs", team="others")


def limited(networks: Networks, *users: str) -> LimitedNetworks:
    return LimitedNetworks(SCOPE, networks, lambda _: users)


def test_networks_of_others_are_not_there(networks):
    part = limited(networks)
    assert [record.name for record in part.list(NetworkQuery())] == ["mine"]
    assert part.inspect("mine").record.id == "id of mine"
    for name in ("theirs", "id of theirs", "bridge", "nobodys"):
        with pytest.raises(NotFoundError, match=f"network {name} not found"):
            part.inspect(name)
        with pytest.raises(NotFoundError):
            asyncio.run(part.remove(name))
    assert not networks.asked


@pytest.mark.parametrize(
    "more",
    [
        {"driver": "macvlan"},
        {"driver": "host"},
        {"options": {"com.docker.network.bridge.name": "docker0"}},
        {"options": {"parent": "eth0"}},
        {"pools": (PoolRequest("10.0.0.0/8"),)},
        {"ipam_driver": "plugin"},
        {"ipam_options": {"a": "b"}},
        {"config_from": "other"},
        {"config_only": True},
        {"ingress": True},
        {"scope": "swarm"},
        {"labels": {"team": "others"}},
    ],
    ids=lambda more: next(iter(more)),
)
def test_a_network_of_a_scope_is_a_plain_one(networks, more):
    with pytest.raises(ForbiddenError):
        asyncio.run(limited(networks).create(CreateNetwork("new", **more)))
    assert not networks.asked


def test_a_network_of_a_scope_is_called_by_no_other_s_id(networks):
    with pytest.raises(ForbiddenError, match="names like ids"):
        asyncio.run(limited(networks).create(CreateNetwork("0123456789abcdef" * 4)))
    assert not networks.asked


def test_what_is_made_carries_the_labels(networks):
    wish = CreateNetwork("new", "bridge", "local", internal=True, labels={"a": "b"})
    asyncio.run(limited(networks).create(wish))
    (asked,) = networks.asked
    assert (asked.labels, asked.internal, asked.driver) == ({"a": "b", "team": "ci"}, True, "")


def test_a_network_stays_as_long_as_a_container_waits_for_it(networks):
    """Else its name could become another's, and the container would start on that one."""
    with pytest.raises(ConflictError, match="network mine is that of web: remove or disconnect"):
        asyncio.run(limited(networks, "web").remove("mine"))
    asyncio.run(limited(networks).remove("mine"))
    assert networks.asked == ["id of mine"]


# ── containers ───────────────────────────────────────────────────────────────────────────────────


def container_on(network_id: str, network: str) -> FakeContainers:
    record = make_record("web")
    record = structs.replace(
        record,
        config=structs.replace(record.config, labels=OURS),
        state=structs.replace(record.state, status="exited"),
        endpoints=(EndpointRecord(network_id, network),),
    )
    return FakeContainers({record.id: record})


@pytest.mark.parametrize(
    ("network_id", "network", "starts"),
    [
        ("id of theirs", "theirs", True),  # whoever put it there knew what they did
        ("gone", "mine", True),
        ("gone", "theirs", False),
        ("gone", "nobodys", False),
        ("", "theirs", False),
    ],
)
def test_a_start_takes_no_other_network_of_the_same_name(networks, network_id, network, starts):
    containers = container_on(network_id, network)
    part = limited_backend(SCOPE, make_backend(containers, networks=networks)).containers
    for start in (part.start, part.restart):
        containers.asked.clear()
        if starts:
            asyncio.run(start("web"))
            assert containers.asked
        else:
            with pytest.raises(ForbiddenError, match=f"the scope ci has no network {network}"):
                asyncio.run(start("web"))
            assert not containers.asked


def test_a_label_of_the_image_is_not_the_container_s(networks):
    containers = container_on("id of mine", "mine")
    part = limited_backend(SCOPE, make_backend(containers, networks=networks)).containers
    assert part.get("web").name == "web"
    (record,) = containers.records.values()
    containers.records[record.id] = structs.replace(record, inherited_labels=("team",))
    with pytest.raises(NotFoundError):
        part.get("web")


@pytest.mark.parametrize(
    ("arguments", "allowed"),
    [
        ("-ef", True),
        ("aux", True),
        ("-eo pid,comm", True),
        ("-o pid,%cpu", True),
        ("-e -o pid", True),
        ("-eo lstart,pri,ni,cls,pid,args", False),
        ("-eo args,pid", False),
        ("-eo uid=PID,args", False),
        ("-o pid,uid=PID", False),
        ("-o pid -o args", False),
        ("-ef --sort=pid", False),
        ("-C sshd", False),
    ],
)
def test_no_choice_of_columns_shows_the_host_s_processes(networks, arguments, allowed):
    containers = container_on("id of mine", "mine")
    part = limited_backend(SCOPE, make_backend(containers, networks=networks)).containers
    if allowed:
        assert asyncio.run(part.top("web", arguments)).rows == (("1", arguments),)
    else:
        with pytest.raises(ForbiddenError, match="does not allow ps"):
            asyncio.run(part.top("web", arguments))


@pytest.mark.parametrize("host", [{"cgroup_parent": "/x"}, {"privileged": True}])
def test_an_update_is_held_to_the_same_table(networks, host):
    containers = container_on("id of mine", "mine")
    part = limited_backend(SCOPE, make_backend(containers, networks=networks)).containers
    with pytest.raises(ForbiddenError):
        asyncio.run(part.update("web", HostConfig(**host), PortChange()))


# ── streams ──────────────────────────────────────────────────────────────────────────────────────


def test_a_stream_ends_with_its_scope(tmp_path: Path):
    """Also one that came by a token, whose connection is nobody else's door."""

    async def told(chunks: AsyncIterator[bytes]) -> list[bytes]:
        heard = []
        with pytest.raises(ClientGoneError, match="the scope was removed"):
            async for chunk in chunks:
                heard.append(chunk)
        return heard

    async def run(database: Database) -> list[bytes]:
        log = AuditLog(str(tmp_path))
        access = Access((), database, FixedClock(), log)
        await access.create(CreateScope("ci", ("events:read",), {}))

        async def events() -> AsyncIterator[bytes]:
            yield b"before"
            await access.remove("ci")
            await access.create(CreateScope("ci", ("events:read",), {}))
            yield b"after"

        request = SimpleNamespace(
            method="GET", path="/events", headers={},
            connection=SimpleNamespace(client_socket=None),
        )  # fmt: skip
        asked = Asked(Identity(entrance=Entrance("ci")), request, "/events", "")
        answer = await ScopedEntry(access, make_backend()).answer(asked, lambda _: Stream(events()))
        heard = await told(answer.chunks)
        log.close()
        return heard

    database = Database(str(tmp_path / "boxship.db"), MIGRATIONS)
    try:
        assert asyncio.run(run(database)) == [b"before"]
    finally:
        database.close()


def test_a_session_ends_with_its_scope(tmp_path: Path):
    """Also one that came by a token; and another scope's goes on."""
    ended = []

    @dataclass(eq=False)
    class Client:
        scope: str
        client_socket: None = None

        def abort(self) -> None:
            ended.append(self.scope)

    clients = [Client("ci"), Client("two")]

    async def run(database: Database) -> None:
        log = AuditLog(str(tmp_path))
        access = Access((), database, FixedClock(), log)
        entry = ScopedEntry(access, make_backend())
        for client in clients:
            await access.create(CreateScope(client.scope, ("containers:exec",), {}))
            request = SimpleNamespace(method="POST", path="/", headers={}, connection=client)
            entrance = Identity(entrance=Entrance(client.scope))
            asked = Asked(entrance, request, "/exec/{id}/start", "x")
            await entry.answer(asked, lambda _: HandedOver())
        await access.remove("ci")
        log.close()

    with_database(tmp_path, run)
    assert ended == ["ci"]


def test_a_scope_that_is_removed_while_it_is_made_has_no_door(tmp_path: Path):
    @dataclass
    class Doors:
        opened: list[str] = field(default_factory=list)
        closed: asyncio.Event = field(default_factory=asyncio.Event)

        async def open(self, scope: Scope) -> None:
            with suppress(TimeoutError):  # a removal that did not wait would be over by then
                await asyncio.wait_for(self.closed.wait(), 0.2)
            self.opened.append(scope.name)

        async def close(self, scope: Scope) -> None:
            self.closed.set()
            if scope.name in self.opened:
                self.opened.remove(scope.name)

        def path(self, scope: Scope) -> str:
            return scope.name

    doors = Doors()

    async def run(database: Database) -> None:
        access = Access((), database, FixedClock(), AuditLog(str(tmp_path)))
        access.set_doors(doors)
        making = asyncio.create_task(access.create(CreateScope("ci", ("events:read",), {})))
        await asyncio.sleep(0)
        await access.remove("ci")
        await making
        assert access.list() == []

    with_database(tmp_path, run)
    assert doors.opened == []


@pytest.mark.parametrize("when", ["before", "after"])
def test_what_a_judge_refuses_is_written_down(tmp_path: Path, when: str):
    class Judge:
        async def before(self, asked: Asked) -> None:
            if when == "before":
                raise UnavailableError("nobody to ask")

        async def after(self, asked: Asked, answer: object) -> None:
            raise UnavailableError("nobody to ask")

    async def run(database: Database) -> None:
        log = AuditLog(str(tmp_path))
        access = Access((), database, FixedClock(), log)
        await access.create(CreateScope("ci", ("containers:read",), {}))
        entry = ScopedEntry(access, make_backend())
        client = SimpleNamespace(client_socket=None, entrance=Entrance("ci"))
        request = SimpleNamespace(method="GET", path="/x", headers={}, connection=client)
        asked = Asked(Identity(entrance=client.entrance), request, "/containers/json", "")
        with pytest.raises(UnavailableError):
            await Gate((Judge(),), lambda: entry).pass_through(
                asked, make_backend(), lambda _: Response()
            )
        last = audited(log)[-1]
        assert (last.scope, last.allowed, last.reason) == ("ci", False, "nobody to ask")
        log.close()

    with_database(tmp_path, run)


def with_database(directory: Path, work: Callable[[Database], Awaitable[None]]) -> None:
    database = Database(str(directory / "boxship.db"), MIGRATIONS)
    try:
        asyncio.run(work(database))
    finally:
        database.close()
