"""Parameters that clients seldom send, each with what it changes."""

import base64
import http.client
import io
import json
import tarfile
import time

import pytest

from support.api import keep_alive, unframe
from support.engine import Engine
from support.tars import Member, tar
from support.waiting import eventually

pytestmark = [pytest.mark.privileged, pytest.mark.boxshipd]

HERE, ELSEWHERE = "linux/amd64", "linux/s390x"
SHOWN = {"X-Registry-Auth": base64.urlsafe_b64encode(b'{"username":"me","password":"x"}').decode()}


def ask(
    engine: Engine, request: str, body: bytes = b"", headers: dict[str, str] | None = None
) -> tuple[int, bytes]:
    """Status and body of ``METHOD /path``, in the version that the path begins with."""
    method, path = request.split(" ", 1)
    kind = {"Content-Type": "application/json"} if body.startswith(b"{") else {}
    connection: http.client.HTTPConnection = keep_alive(engine.socket)
    try:
        connection.request(method, path, body, {**kind, **(headers or {})})
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


@pytest.fixture
def talker(engine: Engine) -> str:
    """A container that has said two lines and runs."""
    box = engine.api.create(
        "talker", Cmd=["sh", "-c", "echo one; echo two; sleep 1000000"], StopTimeout=0
    )
    engine.api.start(box)
    eventually(lambda: engine.api.logs(box) == b"one\ntwo\n", "two lines")
    return box


def test_a_platform_to_create_for(engine: Engine) -> None:
    body = b'{"Image":"busybox","Cmd":["true"],"HostConfig":{"NetworkMode":"none"}}'
    assert ask(engine, f"POST /containers/create?platform={HERE}", body)[0] == 201
    assert ask(engine, f"POST /containers/create?platform={ELSEWHERE}", body)[0] == 404


def test_columns_of_top(engine: Engine, talker: str) -> None:
    titles = json.loads(ask(engine, f"GET /containers/{talker}/top?ps_args=aux")[1])["Titles"]
    assert {"USER", "%CPU", "PID"} <= set(titles)


def test_keys_that_detach_and_checkpoints_at_a_start(engine: Engine) -> None:
    box = engine.api.create("still", Cmd=["true"])
    start = f"POST /containers/{box}/start"
    status, said = ask(engine, f"{start}?checkpoint=c&checkpoint-dir=/nowhere")
    assert (status, b"only supported in experimental mode" in said) == (400, True)
    assert ask(engine, f"{start}?detachKeys=ctrl-x,nothing")[0] == 400
    assert ask(engine, f"{start}?detachKeys=ctrl-x,q")[0] == 204
    for request in (
        "GET /containers/{}/checkpoints?dir=/x",
        "DELETE /containers/{}/checkpoints/c?dir=/x",
    ):
        assert ask(engine, request.format(box))[0] == 501


def test_what_is_copied_may_be_the_containers_user(engine: Engine) -> None:
    box = engine.api.create("owned", Cmd=["true"], User="5:6")
    archive = tar(Member("mine", b"x", uid=1, gid=2))
    for own, owner in ((0, (1, 2)), (1, (5, 6))):
        put = f"PUT /containers/{box}/archive?path=/tmp&copyUIDGID={own}"
        assert ask(engine, put, archive)[0] == 200
        _, found = ask(engine, f"GET /containers/{box}/archive?path=/tmp/mine")
        with tarfile.open(fileobj=io.BytesIO(found)) as members:
            member = members.getmember("mine")
        assert (member.uid, member.gid) == owner


def test_a_part_of_the_log(engine: Engine, talker: str) -> None:
    logs = f"GET /containers/{talker}/logs?stdout=1"
    later = int(time.time()) + 1000
    assert ask(engine, f"{logs}&since={later}") == (200, b"")
    assert unframe(ask(engine, f"{logs}&until={later}")[1])[1] == b"one\ntwo\n"
    assert unframe(ask(engine, f"{logs}&details=1")[1])[1] == b" one\n two\n"


def test_attaching_to_the_past(engine: Engine, talker: str) -> None:
    connection, said = engine.api.hijack(f"/containers/{talker}/attach", logs=1, stdout=1)
    with connection:
        while chunk := connection.recv(4096):
            said += chunk
    assert unframe(said)[1] == b"one\ntwo\n"


def test_a_list_of_images(engine: Engine) -> None:
    def rows(query: str, version: str = "v1.56") -> list[dict[str, object]]:
        found: list[dict[str, object]] = json.loads(
            ask(engine, f"GET /{version}/images/json?{query}")[1]
        )
        return found

    assert {row["SharedSize"] for row in rows("")} == {-1}
    assert -1 not in {row["SharedSize"] for row in rows("shared-size=1")}
    assert rows("digests=1") == rows("")
    assert len(rows("filter=busybox", "v1.40")) == 1
    assert rows("filter=nothing", "v1.40") == []


@pytest.mark.parametrize(
    "request_line",
    ["GET /images/get?names=busybox&", "GET /images/busybox/get?", "GET /images/busybox/history?"],
)
def test_a_platform_of_an_image(engine: Engine, request_line: str) -> None:
    assert ask(engine, f"{request_line}platform={HERE}")[0] == 200
    status, said = ask(engine, f"{request_line}platform={ELSEWHERE}")
    assert (status, b"platform" in said) == (404, True)


def test_a_platform_to_load(engine: Engine) -> None:
    _, archive = ask(engine, "GET /images/busybox/get")
    assert ask(engine, f"POST /images/load?platform={HERE}", archive)[0] == 200
    status, said = ask(engine, f"POST /images/load?platform={ELSEWHERE}", archive)
    assert status == 404 or b"errorDetail" in said


def test_a_name_goes_alone(engine: Engine) -> None:
    assert ask(engine, "POST /images/busybox/tag?repo=other&tag=1")[0] == 201
    status, said = ask(engine, "DELETE /images/other:1?noprune=1")
    assert (status, json.loads(said)) == (200, [{"Untagged": "other:1"}])


@pytest.mark.parametrize(
    "request_line",
    ["POST /images/create?fromImage=127.0.0.1:1/x", "GET /distribution/127.0.0.1:1/x/json"],
)
def test_a_login_is_told_to_nobody(engine: Engine, request_line: str) -> None:
    _, said = ask(engine, request_line, headers=SHOWN)
    assert b"connection refused" in said
    assert SHOWN["X-Registry-Auth"] not in engine.log()
