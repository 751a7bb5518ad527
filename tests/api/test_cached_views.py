"""Encoded views are kept, and nobody ever gets one that is not true any more."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest
from msgspec import structs

from api.conftest import (
    NOW,
    SECOND,
    FakeContainers,
    FakeImages,
    FakeResolved,
    make_backend,
    make_record,
)
from boxship.api.application import Application
from boxship.api.http.body import Body
from boxship.api.http.entrance import MAIN
from boxship.api.http.messages import Request, Response
from boxship.api.viewcache import ViewCache
from boxship.engine.containers.health.state import Health, HealthStatus
from boxship.engine.containers.record import ContainerRecord, MountPoint, Status
from boxship.engine.networks.endpoint import EndpointRecord
from boxship.model.ports import PublishedPort

VERSIONS = (24, 41, 43, 44, 45, 47, 51, 52, 56)
WEB = make_record("web")


class Changing(FakeContainers):
    """Everything that a view shows beside the record can change."""

    firewall = ""
    has_execs: Sequence[str] = ()
    has_links: tuple[str, ...] = ()
    written = 5

    def port_decided_by(self, address: str) -> str:
        return self.firewall

    def execs(self, reference: str) -> list[str]:
        return list(self.has_execs)

    def links(self, reference: str) -> tuple[str, ...]:
        return self.has_links

    async def sizes(self, ids: Sequence[str]) -> dict[str, tuple[int, int]]:
        return dict.fromkeys(ids, (self.written, self.written + 7))


class Names(FakeImages):
    """The meaning of a name can change."""

    meaning = WEB.image_id

    def resolve(self, reference: str, platform: object = None) -> FakeResolved:
        return FakeResolved(self.meaning)


@dataclass
class Clock:
    now: int = NOW

    def now_ns(self) -> int:
        return self.now


@dataclass
class World:
    containers: Changing = field(default_factory=Changing)
    images: Names = field(default_factory=Names)
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        self.containers.records = {"web": WEB, "db": make_record("db")}

    def served_by(self, views: ViewCache) -> Application:
        return Application(
            make_backend(self.containers, self.images, clock=self.clock, views=views)
        )


def ask(application: Application, target: str) -> bytes:
    path, _, query = target.partition("?")
    body = Body(hold=lambda _: None, wanted=lambda: None)
    answer = application.serve(
        Request(
            method="GET", path=path, query_string=query, headers={}, minor=1, keep_alive=True,
            body=body, connection=SimpleNamespace(entrance=MAIN),  # type: ignore[arg-type]
        )
    )  # fmt: skip
    if not isinstance(answer, Response):

        async def wait() -> object:
            return await answer

        answer = asyncio.run(wait())
    assert isinstance(answer, Response)
    return answer.body


def record(**changes: object) -> Callable[[World], None]:
    def change(world: World) -> None:
        world.containers.records["web"] = structs.replace(
            world.containers.records["web"], **changes
        )

    return change


def state(**changes: object) -> Callable[[World], None]:
    def change(world: World) -> None:
        web = world.containers.records["web"]
        world.containers.records["web"] = web.with_state(structs.replace(web.state, **changes))

    return change


def beside(name: str, value: object) -> Callable[[World], None]:
    return lambda world: setattr(world.containers, name, value)


def moved_image(world: World) -> None:
    world.images.meaning = "sha256:" + "cd" * 32


def later(world: World) -> None:
    world.clock.now += 3600 * SECOND


def removed(world: World) -> None:
    del world.containers.records["web"]


def made_again(world: World) -> None:
    world.containers.records["web"] = structs.replace(WEB, config=replaced_config(WEB))


def replaced_config(of: ContainerRecord) -> object:
    return structs.replace(of.config, labels={"a": "b"}, hostname="other")


PORT = PublishedPort("tcp", 80, 80, 8080, 8080, "127.0.0.1")
BRIDGE = EndpointRecord("f" * 64, "front", ipv4="172.18.0.2/16", gateway="172.18.0.1")

# What happens, and which of list and inspect it shows in.
LIST, INSPECT, SIZED = "list", "inspect", "sizes"
CHANGES: tuple[tuple[str, Callable[[World], None], set[str]], ...] = (
    ("renamed", record(name="renamed"), {LIST, INSPECT}),
    ("renamed back", record(name="web"), {LIST, INSPECT}),
    ("labels", record(config=replaced_config(WEB)), {LIST, INSPECT}),
    ("a port", record(ports=(PORT,)), {LIST, INSPECT}),
    ("a firewall", beside("firewall", "ufw"), {LIST}),
    ("connected", record(endpoints=(BRIDGE,)), {LIST, INSPECT}),
    ("a mount", record(mounts=(MountPoint("bind", "/other", "/place"),)), {LIST, INSPECT}),
    ("limits", record(host=structs.replace(WEB.host, memory=1 << 30)), {INSPECT}),
    ("an exec", beside("has_execs", ("e1",)), {INSPECT}),
    ("another exec", beside("has_execs", ("e1", "e2")), {INSPECT}),
    ("a link", beside("has_links", ("/db:/web/db",)), {INSPECT}),
    ("health", state(health=Health(HealthStatus.STARTING)), {LIST, INSPECT}),
    ("healthy", state(health=Health(HealthStatus.HEALTHY)), {LIST, INSPECT}),
    ("paused", state(status=Status.PAUSED), {LIST, INSPECT}),
    ("let go on", state(status=Status.RUNNING), {LIST, INSPECT}),
    ("later", later, {LIST}),
    ("image of another name", moved_image, {LIST}),
    ("written", beside("written", 4096), {SIZED}),
    ("restarted", state(started_ns=NOW + 3590 * SECOND, restart_count=1), {LIST, INSPECT}),
    (
        "ended",
        state(status=Status.EXITED, exit_code=3, finished_ns=NOW + 3595 * SECOND),
        {LIST, INSPECT},
    ),
    ("started again", state(status=Status.RUNNING), {LIST, INSPECT}),
    ("removed", removed, {LIST, INSPECT}),
    ("made again", made_again, {LIST, INSPECT}),
)


def targets(version: int) -> dict[str, str]:
    base = f"/v1.{version}/containers"
    return {
        f"{base}/json?all=1": LIST,
        f"{base}/json": LIST,
        f"{base}/web/json": INSPECT,
        f"{base}/json?all=1&size=1": SIZED,
        f"{base}/web/json?size=1": SIZED,
    }


@pytest.mark.parametrize("version", VERSIONS)
def test_what_has_changed_is_never_served_as_it_was(version: int) -> None:
    world = World()
    cached, fresh = world.served_by(ViewCache()), world.served_by(ViewCache(most=0))
    before = {target: ask(cached, target) for target in targets(version)}
    for title, change, shown in CHANGES:
        change(world)
        for target, kind in targets(version).items():
            now = ask(cached, target)
            assert now == ask(fresh, target) == ask(cached, target), f"{title}: {target}"
            if kind in shown:
                assert now != before[target], f"{title} is not seen in {target}"
            before[target] = now


def test_versions_and_parameters_do_not_get_each_other_s() -> None:
    world = World()
    cached, fresh = world.served_by(ViewCache()), world.served_by(ViewCache(most=0))
    # The versions of one target in a row: nothing comes between that would have it made anew.
    every = [target for kind in zip(*map(targets, VERSIONS), strict=True) for target in kind]
    expected = {target: ask(fresh, target) for target in every}
    for _ in range(2):
        assert {target: ask(cached, target) for target in every} == expected
    assert len(set(expected.values())) > len(VERSIONS)


def test_what_has_not_changed_is_not_encoded_again() -> None:
    made = []

    def make() -> bytes:
        made.append("made")
        return b"view"

    views = ViewCache()
    first = views.get("web", (WEB, 1), make)
    assert views.get("web", (WEB, 1), make) is first
    assert views.get("web", (WEB, 2), make) == b"view"
    assert made == ["made"] * 2


def test_the_latest_used_are_kept_up_to_a_number_of_bytes() -> None:
    views = ViewCache(most=10)
    for name in ("a", "b"):
        views.keep(name, 0, b"12345")
    assert views.find("a", 0)
    views.keep("c", 0, b"12345")
    assert [name for name in ("a", "b", "c") if views.find(name, 0)] == ["a", "c"]
    views.keep("large", 0, b"x" * 11)
    assert views.find("large", 0) is None
    assert views.find("a", 0)
    views.keep("a", 1, b"1234567890")
    assert views.find("c", 0) is None
    assert views.find("a", 1) == b"1234567890"


def test_a_view_without_its_files_is_looked_for_again() -> None:
    world = World()
    place: dict[str, str] = {}
    world.containers.storage = lambda _: dict(place)  # type: ignore[method-assign]
    application = world.served_by(ViewCache())
    damaged = ask(application, "/containers/web/json")
    place["UpperDir"] = "/upper"
    assert b"/upper" in ask(application, "/containers/web/json")
    assert b"/upper" not in damaged
