"""The API within a scope, before fakes: every route is looked at, every part keeps to the scope."""

import asyncio
import inspect
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest

from api.conftest import FixedClock, make_backend, make_record
from boxship.api import backend as backends
from boxship.api import containercalls
from boxship.api.authorization import Gate
from boxship.api.backend import Backend
from boxship.api.endpoints.table import ROUTES
from boxship.api.http.entrance import Entrance, Tokens
from boxship.api.scoped.backend import limited_backend
from boxship.api.scoped.entry import ScopedEntry
from boxship.api.scoped.routes import ANYBODY, PERMISSIONS
from boxship.base.errors import ForbiddenError
from boxship.engine.access.audit import AuditLog
from boxship.engine.access.permissions import ALL
from boxship.engine.access.scope import Scope
from boxship.engine.access.service import Access, CreateScope
from boxship.engine.records.database import Database
from boxship.engine.records.schema import MIGRATIONS
from support.audited import audited

_ONES = {"{id}": "web", "{name...}": "x/web", "{name}": "web", "{id...}": "x/web"}


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database(str(tmp_path / "boxship.db"), MIGRATIONS)
    yield opened
    opened.close()


@pytest.fixture
def access(tmp_path: Path, database: Database) -> Iterator[Access]:
    log = AuditLog(str(tmp_path / "access"))
    yield Access((), database, FixedClock(), log)
    log.close()


@pytest.fixture
def scoped(tmp_path: Path, access: Access, running_api):
    """Start an API whose one door has limits."""

    def start(entrance: Entrance, *allow: str, token: bool = False, tls=None):
        wish = CreateScope("ci", allow, {"team": "ci"}, token=token)
        made = asyncio.run(access.create(wish))
        gate = Gate(scopes=lambda: ScopedEntry(access, make_backend()))
        loop = asyncio.new_event_loop()
        api = running_api(str(tmp_path / "api.sock"), loop, tls, gate, entrance)
        return api, made.token

    return start


def test_every_permission_is_of_a_route_that_exists():
    routes = {(method, pattern) for method, pattern, _ in ROUTES}
    assert PERMISSIONS.keys() <= routes
    asked = set(PERMISSIONS.values()) - {ANYBODY}
    assert asked <= ALL
    assert ALL - asked == {"containers:publish", "images:use"}  # which no route stands for


def test_routes_ask_for_their_permission_and_others_are_closed(scoped):
    api, _ = scoped(Entrance("ci"), "events:read")
    with api as running:
        for method, pattern, _ in ROUTES:
            path = pattern
            for variable, one in _ONES.items():
                path = path.replace(variable, one)
            needs = PERMISSIONS.get((method, pattern))
            if needs in (ANYBODY, "events:read"):
                continue
            answer = running.client.request(method, f"/v1.45{path}")
            assert answer.status == 403, (method, pattern, answer)
            told = f"it lacks {needs}" if needs else "no scope does"
            assert method == "HEAD" or told in answer.body.decode(), (method, pattern, answer)
        assert not running.containers.asked


def test_a_part_that_nobody_has_opened_refuses():
    """A use case that is added to a service is closed to scopes until somebody opens it."""
    scope = Scope("ci", tuple(ALL))
    limited = limited_backend(scope, make_backend())
    opened = {"system", "clock", "views", "kept"}
    for part in (each.name for each in fields(Backend) if each.name not in opened):
        with pytest.raises(ForbiddenError, match="the scope ci does not allow this"):
            getattr(limited, part).something_new  # noqa: B018
    assert limited.kept is not make_backend().kept


LIMITED = {
    "containers": containercalls.Containers,
    "container_files": containercalls.ContainerFiles,
    "images": backends.Images,
    "networks": backends.Networks,
    "volumes": backends.Volumes,
    "events": backends.Events,
}


@pytest.mark.parametrize("part", LIMITED)
def test_what_is_open_takes_the_same_arguments(part):
    """A parameter that is added to a use case is looked at here before it reaches the engine."""
    limited = type(getattr(limited_backend(Scope("ci", ()), make_backend()), part))
    for name, method in inspect.getmembers(LIMITED[part], inspect.isfunction):
        ours = limited.__dict__.get(name)
        if not name.startswith("_") and ours is not None:
            given, taken = (list(inspect.signature(each).parameters) for each in (method, ours))
            assert given == taken, name


def test_an_unlabelled_container_is_not_there(scoped):
    api, _ = scoped(Entrance("ci"), "containers:*")
    with api as running:
        assert running.client.request("GET", "/containers/web/json").status == 404
        assert running.client.json("/containers/json?all=1") == []
    assert "team" not in (make_record("web").config.labels or {})


def test_a_token_is_kept_as_a_hash_and_found_by_it(access: Access, tmp_path: Path):
    made = asyncio.run(access.create(CreateScope("ci", ("system:read",), {}, token=True)))
    assert made.token.startswith("bst_")
    assert len(made.token) > 40
    assert access.of_token(made.token) == made.scope
    assert access.of_token(made.token + "x") is access.of_token("") is None
    assert made.token.encode() not in (tmp_path / "boxship.db-wal").read_bytes()
    asyncio.run(access.remove("ci"))
    assert access.of_token(made.token) is None


def test_a_door_for_tokens_wants_one(scoped, access):
    api, token = scoped(Entrance(tokens=Tokens.DEMANDED), "system:read", token=True)
    with api as running:
        ask = "GET {} HTTP/1.1\r\nHost: d\r\nConnection: close\r\nAuthorization: {}\r\n\r\n".format

        def status(path: str, shown: str) -> bytes:
            return running.client.send(ask(path, shown).encode()).split()[1]

        assert status("/info", f"Bearer {token}") == b"200"
        assert status("/info", f"bearer  {token}") == b"200"
        assert status("/containers/json", f"Bearer {token}") == b"403"
        for wrong in ("", "Bearer", "Bearer bst_wrong", f"Basic {token}", token):
            assert status("/info", wrong) == status("/_ping", wrong) == b"401", wrong
    last = audited(access.audit)[-1]
    assert (last.door, last.scope, last.allowed, last.status) == ("token", "", False, 401)
    assert token not in str(audited(access.audit))


def test_where_tokens_are_taken_who_shows_one_has_its_limits(scoped):
    api, token = scoped(Entrance(tokens=Tokens.TAKEN), "system:read", token=True)
    with api as running:
        ask = "GET /containers/json HTTP/1.1\r\nHost: d\r\nConnection: close\r\n{}\r\n".format
        assert b" 200 " in running.client.send(ask("").encode())
        assert b" 200 " in running.client.send(ask("Authorization: Basic eA==\r\n").encode())
        limited = running.client.send(ask(f"Authorization: Bearer {token}\r\n").encode())
        assert b" 403 " in limited
        wrong = running.client.send(ask("Authorization: Bearer bst_old\r\n").encode())
        assert b" 401 " in wrong


def test_the_log_is_rotated_and_told_oldest_first(tmp_path: Path):
    from boxship.engine.access.audit import AuditEntry

    log = AuditLog(str(tmp_path), limit=300, kept=2)
    for number in range(20):
        log.write(
            AuditEntry("t", "a" if number % 2 else "b", "socket", "GET", f"/{number}", True, 200)
        )
    log.close()
    told = [entry.path for entry in audited(log)]
    assert told == [f"/{number}" for number in range(20 - len(told), 20)]
    assert 3 < len(told) < 20
    assert [entry.path for entry in audited(log, "a", 2)] == ["/17", "/19"]
    assert len(list(tmp_path.iterdir())) == 3
    assert (tmp_path / "audit.log").stat().st_mode & 0o777 == 0o600


def test_who_follows_gets_each_line_once(tmp_path: Path):
    from boxship.engine.access.audit import AuditEntry

    def entry(number: int) -> AuditEntry:
        return AuditEntry("t", "a", "socket", "GET", f"/{number}", True, 200)

    async def follow() -> list[str]:
        log = AuditLog(str(tmp_path))
        log.write(entry(1))
        log.write(entry(2))
        telling = log.tell(follow=True)
        heard = [(await anext(telling)).path]
        log.write(entry(3))  # while what was before is being told
        heard += [(await anext(telling)).path for _ in range(2)]
        log.write(entry(4))
        heard.append((await anext(telling)).path)
        await telling.aclose()
        log.close()
        return heard

    assert asyncio.run(follow()) == ["/1", "/2", "/3", "/4"]
