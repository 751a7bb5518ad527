"""The gate before every endpoint: who is asked, what is seen, what a refusal does."""

import json
import ssl
from dataclasses import dataclass, field

import pytest

from boxship.api.authorization import Asked, Gate
from boxship.api.http.entrance import MAIN, Entrance
from boxship.base.errors import ForbiddenError
from support.certificates import Authority


@dataclass
class Recorder:
    """Writes down what it is asked, and refuses what it was told to refuse."""

    refuse_before: str = ""
    refuse_after: str = ""
    limit: int = 1024
    seen: list[tuple[str, ...]] = field(default_factory=list)
    bodies: list[bytes | None] = field(default_factory=list)
    identities: list[object] = field(default_factory=list)

    async def before(self, asked: Asked) -> None:
        self.seen.append(("before", asked.request.method, asked.pattern, asked.target))
        self.identities.append(asked.identity)
        self.bodies.append(await asked.request.body.peek(self.limit))
        if asked.pattern == self.refuse_before:
            raise ForbiddenError("not this one")

    async def after(self, asked: Asked, answer) -> None:
        self.seen.append(("after", asked.request.method, asked.pattern, type(answer).__name__))
        if asked.pattern == self.refuse_after:
            raise ForbiddenError("not this answer")


@pytest.fixture
def judged(tmp_path, loop, running_api):
    """Start an API before which judges stand."""

    def start(*judges, entrance=MAIN, tls=None):
        return running_api(str(tmp_path / "api.sock"), loop, tls, Gate(judges), entrance)

    return start


def test_a_judge_sees_the_route_before_and_the_answer_after(judged):
    judge = Recorder()
    with judged(judge) as api:
        assert api.client.request("GET", "/v1.45/containers/web/json").status == 200
    assert judge.seen == [
        ("before", "GET", "/containers/{id}/json", "web"),
        ("after", "GET", "/containers/{id}/json", "Response"),
    ]


def test_a_refused_request_does_not_reach_its_endpoint(judged):
    first, second = Recorder(refuse_before="/containers/{id}/stop"), Recorder()
    with judged(first, second) as api:
        answer = api.client.request("POST", "/containers/web/stop")
        assert answer.status == 403
        assert json.loads(answer.body) == {"message": "not this one"}
        assert not api.containers.asked
    assert not second.seen


def test_a_refused_answer_is_not_sent(judged):
    judge = Recorder(refuse_after="/containers/json")
    with judged(judge) as api:
        answer = api.client.request("GET", "/containers/json")
        assert (answer.status, json.loads(answer.body)) == (403, {"message": "not this answer"})


def test_a_refused_stream_is_let_go(judged):
    judge = Recorder(refuse_after="/events")
    with judged(judge) as api:
        assert api.client.request("GET", "/events?since=1&until=2").status == 403
        assert api.events.listeners == 0


def test_what_a_judge_peeks_at_is_still_there_for_the_endpoint(judged):
    judge = Recorder()
    body = json.dumps({"Image": "busybox", "Cmd": ["true"]}).encode()
    with judged(judge) as api:
        path = "/containers/create?name=one"
        assert api.client.request("POST", path, body).status == 201
    assert judge.bodies == [body]


def test_a_body_beyond_the_limit_is_not_shown_and_still_read(judged):
    judge = Recorder(limit=16)
    body = json.dumps({"Image": "busybox", "Cmd": ["true"] * 100}).encode()
    with judged(judge) as api:
        assert api.client.request("POST", "/containers/create", body).status == 201
    assert judge.bodies == [None]


def test_a_client_that_waits_is_asked_for_its_body_once(judged):
    judge = Recorder()
    body = b'{"Image":"busybox"}'
    with judged(judge) as api, api.client.connect() as sock:
        sock.sendall(
            b"POST /containers/create HTTP/1.1\r\nHost: d\r\nContent-Type: application/json\r\n"
            b"Connection: close\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(body)
        )
        heard = sock.recv(65536)
        assert heard == b"HTTP/1.1 100 Continue\r\n\r\n"
        sock.sendall(body)
        while data := sock.recv(65536):
            heard += data
    assert heard.count(b"100 Continue") == 1
    assert b"201 Created" in heard
    assert judge.bodies == [body]


def test_paths_that_lead_nowhere_are_nobodys_business(judged):
    judge = Recorder()
    with judged(judge) as api:
        assert api.client.request("GET", "/nowhere").status == 404
    assert not judge.seen


def test_a_certificate_says_who_asks(judged, tmp_path):
    authority = Authority(tmp_path / "ca")
    server, client = authority.issue("server", "localhost"), authority.issue("alice")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(server.certificate, server.key)
    tls.load_verify_locations(authority.certificate)
    tls.verify_mode = ssl.CERT_REQUIRED
    mine = ssl.create_default_context(cafile=str(authority.certificate))
    mine.load_cert_chain(client.certificate, client.key)
    judge = Recorder()
    with (
        judged(judge, tls=tls) as api,
        mine.wrap_socket(api.client.connect(), server_hostname="localhost") as sock,
    ):
        sock.sendall(b"GET /_ping HTTP/1.1\r\nHost: d\r\nConnection: close\r\n\r\n")
        assert sock.recv(65536).startswith(b"HTTP/1.1 200 OK")
    (identity,) = judge.identities
    assert (identity.user, identity.method) == ("alice", "TLS")


def test_a_judge_learns_by_which_door_somebody_came(judged):
    judge = Recorder()
    with judged(judge, entrance=Entrance(scope="ci")) as api:
        api.client.request("GET", "/_ping")
    (identity,) = judge.identities
    assert identity.entrance.scope == "ci"
