"""BuildKit's door, as Debian 13's buildx comes in by it; the builder behind it is a fake."""

import asyncio
import json
import os
import socket
import ssl

import pytest

from boxship.api.grpc.driver import MOST_UNSENT, Driver
from boxship.base.errors import InvalidArgumentError
from boxship.engine.build.clientside import Selection
from boxship.engine.build.failures import InvalidDockerfileError, Place, StepFailedError
from boxship.engine.build.progress import LineRange, SourceText, Vertex, VertexLog, VertexWarning
from boxship.engine.build.requests import (
    BuildRecord,
    ImageContext,
    ImageOutput,
)
from boxship.engine.networks.record import NetworkRecord, PoolRecord
from boxship.oci.digest import Digest
from boxship.oci.reference import parse
from boxship.wire.buildkit import methods
from boxship.wire.buildkit.control import (
    ListWorkersRequest,
    SolveRequest,
    StatusRequest,
)
from boxship.wire.buildkit.history import (
    BuildHistoryRequest,
    EventType,
    UpdateBuildHistoryRequest,
)
from boxship.wire.buildkit.solver import Definition, Op, SourceOp
from boxship.wire.buildkit.wellknown import Empty
from boxship.wire.grpc.status import Code
from boxship.wire.protobuf import encode
from support.buildkitcalls import Buildx, Caller
from support.certificates import Authority
from support.waiting import eventually

IMAGE = "sha256:" + "ab" * 32
STEP = Digest.of(b"a step")
SOURCE = SourceText("Dockerfile", b"FROM busybox\nRUN false\n")
PLACE = Place(SOURCE, (LineRange(2, 2),))


@pytest.fixture
def buildx(tmp_path, api):
    return Buildx(tmp_path, str(tmp_path / "api.sock"))


def test_a_build_and_what_it_tells(api, buildx, tmp_path):
    api.builder.events = [
        Vertex(STEP, "[1/1] RUN echo", started_ns=10**18),
        VertexLog(STEP, 1, b"hello from a step\n", 10**18 + 5),
        Vertex(STEP, "[1/1] RUN echo", started_ns=10**18, completed_ns=10**18 + 10**9),
    ]
    api.builder.response = {"containerimage.digest": str(STEP)}
    told = buildx.build("-t", "one:two", "-t", "three", "--metadata-file", str(tmp_path / "md"))
    assert "[1/1] RUN echo\n" in told
    assert "hello from a step" in told
    assert "DONE 1.0s" in told
    assert json.loads((tmp_path / "md").read_text())["containerimage.digest"] == str(STEP)
    (request,) = api.builder.requests
    assert request.outputs == (ImageOutput((parse("one:two"), parse("three:latest"))),)


def test_a_client_gives_its_files_and_secrets(api, buildx, tmp_path):
    (buildx.context / "sub").mkdir()
    (buildx.context / "sub/file").write_bytes(b"x" * 3_000_000)
    (buildx.context / "left-out").write_text("")
    (buildx.context / "name with \u00fc").symlink_to("sub/file")
    (tmp_path / "secret").write_text("of mine")
    target, seen = tmp_path / "target", []
    target.mkdir()

    async def script(client, tell):
        chosen = Selection(exclude=("left-out",))
        synced = await client.sync("context", chosen, str(target), seen.append)
        seen.append(synced.changed)
        seen.append(await client.secret("mine"))
        seen.append(await client.secret("other"))
        seen.append(await client.ssh("default"))
        seen.append(await client.credentials("127.0.0.1:1"))

    api.builder.script = script
    buildx.build("--secret", f"id=mine,src={tmp_path}/secret")
    changed, *others = seen[-5:]
    assert seen[-6] == 3_000_000 + len(SOURCE.data)
    assert changed == {"Dockerfile", "name with \u00fc", "sub", "sub/file"}
    assert others == [b"of mine", None, None, None]
    assert (target / "sub/file").stat().st_size == 3_000_000
    before = (target / "sub/file").stat()
    (buildx.context / "Dockerfile").write_text("FROM scratch\n")
    (buildx.context / "name with \u00fc").unlink()
    buildx.build()
    assert (target / "sub/file").stat() == before
    assert seen[-5] == {"Dockerfile", "name with \u00fc"}
    assert seen[-6] == len("FROM scratch\n")
    first, second = (client.identity for client in api.builder.clients)
    assert first == second != ""


def test_patterns_that_no_header_may_be_arrive(api, buildx, tmp_path):
    for name in ("tab\tand plus+", "control\x01", "percent%41", "other"):
        (buildx.context / name).write_text("x")
    found = []

    async def script(client, tell):
        for patterns in (("tab\tand plus+", "percent%41"), ("control\x01",), ("none\0",)):
            target = tmp_path / str(len(found))
            target.mkdir()
            await client.sync("context", Selection(include=patterns), str(target))
            found.append(sorted(os.listdir(target)))

    api.builder.script = script
    buildx.build()
    assert found == [["percent%41", "tab\tand plus+"], ["control\x01"], []]


def test_a_directory_that_the_client_has_not(api, buildx, tmp_path):
    async def script(client, tell):
        await client.sync("other", Selection(), str(tmp_path))

    api.builder.script = script
    code, _, err = buildx.run("build", str(buildx.context))
    assert code == 1
    assert "the client has no directory 'other'" in err


def test_results_go_to_the_client(api, buildx, tmp_path):
    made = tmp_path / "made"
    (made / "deep").mkdir(parents=True)
    (made / "deep/file").write_bytes(b"y" * 200_000)
    os.link(made / "deep/file", made / "same")
    (made / "link").symlink_to("same")

    async def pieces():
        for _ in range(40):
            yield b"z" * 100_000

    async def script(client, tell):
        (output,) = api.builder.requests[-1].outputs
        if output.tar:
            await client.send_file(pieces(), output.metadata)
        else:
            await client.send_directory(str(made), output.metadata)

    api.builder.script = script
    buildx.build("-o", f"type=tar,dest={tmp_path}/out.tar")
    assert (tmp_path / "out.tar").read_bytes() == b"z" * 4_000_000
    buildx.build("-o", f"type=local,dest={tmp_path}/out")
    assert (tmp_path / "out/deep/file").read_bytes() == b"y" * 200_000
    assert (tmp_path / "out/same").stat().st_ino == (tmp_path / "out/deep/file").stat().st_ino
    assert os.readlink(tmp_path / "out/link") == "same"


@pytest.mark.parametrize(
    ("failure", "wanted"),
    [
        (
            StepFailedError('process "false" failed', vertex=STEP, place=PLACE),
            ["ERROR: failed to solve: process", "Dockerfile:2", "2 | >>> RUN false"],
        ),
        (
            InvalidDockerfileError("unknown instruction: FOO", PLACE),
            ["ERROR: failed to solve: unknown instruction: FOO", "Dockerfile:2"],
        ),
        (InvalidArgumentError("stage not found"), ["ERROR: failed to solve: stage not found"]),
        (RuntimeError("a defect"), ["ERROR: failed to solve: a defect"]),
    ],
)  # fmt: skip
def test_failures_show_the_place(api, buildx, failure, wanted):
    api.builder.failure = failure
    code, _, err = buildx.run("build", str(buildx.context))
    assert code == 1
    for text in wanted:
        assert text in err


def test_warnings_are_counted(api, buildx):
    api.builder.events = [
        Vertex(STEP, "internal", started_ns=10**18),
        VertexWarning(STEP, "Rule: do it otherwise", source=SOURCE, ranges=PLACE.ranges),
        Vertex(STEP, "internal", started_ns=10**18, completed_ns=10**18),
    ]
    assert "1 warning found" in buildx.build()


def test_a_client_that_goes_away_ends_its_build(api, buildx):
    api.builder.endless = True
    api.builder.events = [Vertex(STEP, "[1/1] RUN sleep", started_ns=10**18)]
    process = buildx.start("build", "--progress", "plain", str(buildx.context))
    with process:
        for line in process.stderr:
            if "RUN sleep" in line:
                break
        assert not api.builder.ended.is_set()
        process.kill()
        assert api.builder.ended.wait(10)


def test_what_buildx_asks_besides(api, buildx):
    code, out, err = buildx.run("inspect")
    assert (code, err) == (0, "")
    assert "org.mobyproject.buildkit.worker.snapshotter" in out
    assert "+boxship" in out
    code, out, _ = buildx.run("du", "--verbose")
    assert code == 0
    assert "RUN make" in out
    code, out, _ = buildx.run("prune", "--force", "--filter", "type=regular", "--all")
    assert code == 0
    assert "5B" in out
    (asked,) = api.builder.asked
    assert asked.all
    assert asked.filters == {"type": ("regular",)}


def test_the_hosts_name_in_steps(api, buildx):
    """buildx puts an address for `host-gateway` by itself, and is told which."""
    bridge = NetworkRecord(
        "b" * 64, "bridge", "bridge", 1, ipam=(PoolRecord("172.17.0.0/16", gateway="172.17.0.1"),)
    )
    api.networks.records.append(bridge)
    buildx.build("--add-host", "host:host-gateway", "--add-host", "a:1.2.3.4")
    hosts = dict(api.builder.requests[-1].extra_hosts)
    assert hosts == {"host": "172.17.0.1", "a": "1.2.3.4"}


def test_bake_gives_one_target_to_another(api, buildx, tmp_path):
    (tmp_path / "bake.json").write_text(
        json.dumps(
            {
                "group": {"default": {"targets": ["app"]}},
                "target": {
                    "base": {"context": str(buildx.context)},
                    "app": {"context": str(buildx.context), "contexts": {"b": "target:base"}},
                },
            }
        )
    )
    code, _, err = buildx.run("bake", "-f", str(tmp_path / "bake.json"))
    assert code == 0, err
    first, *_ = api.builder.requests
    assert (first.outputs, first.recorded) == ((ImageOutput(),), False)
    (built,) = (request for request in api.builder.requests if request.contexts)
    assert built.contexts == {"b": ImageContext(IMAGE)}


@pytest.mark.parametrize("path", ["/grpc", "/session"])
def test_a_connection_that_asks_for_no_upgrade(api, path):
    answer = api.client.request("POST", path)
    assert answer.status == 400
    assert "h2c" in answer.message


def test_a_session_without_a_name(api):
    answer = api.client.send(
        b"POST /session HTTP/1.1\r\nHost: x\r\nUpgrade: h2c\r\nConnection: close\r\n\r\n"
    )
    assert b"x-docker-expose-session-uuid must name the session" in answer


def test_a_peer_that_does_not_speak_http2_is_cut_off(api, tmp_path):
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(tmp_path / "api.sock"))
        client.sendall(
            b"POST /grpc HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
            b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
        )
        answer = b""
        while piece := client.recv(65536):
            answer += piece
    assert answer.startswith(b"HTTP/1.1 101 ")


SESSION = (
    b"POST /session HTTP/1.1\r\nHost: x\r\nUpgrade: h2c\r\nX-Docker-Expose-Session-Uuid: s\r\n\r\n"
)


def test_a_session_has_its_name_until_it_is_gone(api):
    with api.client.connect() as first:
        first.sendall(SESSION)
        assert b" 101 " in first.recv(64)
        second = api.client.send(SESSION.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        assert b" 409 " in second
        assert b"session s exists already" in second

    def free():
        with api.client.connect() as again:
            again.sendall(SESSION)
            return b" 101 " in again.recv(64)

    eventually(free, "the name's return")


def test_a_peer_that_does_not_read_is_not_read():
    """Otherwise the answers to its pings would fill the memory."""

    class Transport(asyncio.Transport):
        def __init__(self):
            super().__init__()
            self.calls = []

        def set_write_buffer_limits(self, high=None, low=None):
            self.calls.append(high)

        def pause_reading(self):
            self.calls.append("pause")

        def resume_reading(self):
            self.calls.append("resume")

        def is_closing(self):
            return False

        def write(self, data):
            pass

    async def drive():
        transport, driver = Transport(), Driver(client=False)
        driver.connection_made(transport)
        driver.pause_writing()
        assert driver.slow
        driver.resume_writing()
        await driver.writable()
        return transport.calls

    assert asyncio.run(drive()) == [MOST_UNSENT, "pause", "resume"]


def test_history(api, tmp_path):
    """Debian's buildx has no verb for it yet: asked by hand."""
    ended = BuildRecord("r", "a build", 5, 7, error="it failed", images=("sha256:1",))
    api.builder.records = [BuildRecord("running", "another", 9), ended]
    now = BuildHistoryRequest(early_exit=True)
    active = BuildHistoryRequest(active_only=True, early_exit=True)
    with Caller(str(tmp_path / "api.sock")) as caller:
        first, second = caller.ask(methods.LISTEN_BUILD_HISTORY, now)
        assert (first.type, first.record.ref) == (EventType.STARTED, "running")
        assert (second.type, second.record.error.message) == (EventType.COMPLETE, "it failed")
        assert second.record.completed_at.ns == 7
        assert second.record.result.results[0].digest == "sha256:1"
        (only,) = caller.ask(methods.LISTEN_BUILD_HISTORY, active)
        assert only == first
        assert caller.ask(methods.UPDATE_BUILD_HISTORY, UpdateBuildHistoryRequest("r", delete=True))
        assert api.builder.asked == [("forget", "r")]
        refused = caller.ask(methods.UPDATE_BUILD_HISTORY, UpdateBuildHistoryRequest("r", True))
        assert refused.code == Code.UNIMPLEMENTED
        api.builder.events = [VertexLog(STEP, 1, b"x" * 700_000, 1) for _ in range(3)]
        sizes = [len(each.logs) for each in caller.ask(methods.STATUS, StatusRequest("r"))]
        assert sizes == [1, 1, 1], "an ended build tells again, in messages of a bounded size"


def test_history_is_followed(api, buildx, tmp_path):
    async def script(client, tell):
        (request,) = api.builder.requests
        api.builder.records = [BuildRecord(request.reference, "a build", 5)]
        tell(Vertex(STEP, "[1/1] RUN true", started_ns=5))
        await told.wait()
        api.builder.records = [BuildRecord(request.reference, "a build", 5, 6)]

    told = asyncio.Event()
    api.builder.records = [BuildRecord("old", "before", 1, 2)]
    api.builder.script = script
    with Caller(str(tmp_path / "api.sock")) as caller:
        stream = caller.begin(methods.LISTEN_BUILD_HISTORY, BuildHistoryRequest())
        (first,) = caller.next(stream, methods.LISTEN_BUILD_HISTORY)
        events = [first]
        with buildx.start("build", str(buildx.context)) as building:
            while len(events) < 3:
                events += caller.next(stream, methods.LISTEN_BUILD_HISTORY)
            api.call(told.set)
            events += caller.next(stream, methods.LISTEN_BUILD_HISTORY)
            building.communicate(timeout=20)
    (request,) = api.builder.requests
    assert [(EventType(event.type), event.record.ref) for event in events] == [
        (EventType.COMPLETE, "old"),
        (EventType.STARTED, request.reference),
        (EventType.DELETED, "old"),
        (EventType.COMPLETE, request.reference),
    ]


def test_calls_that_are_not_known(api, tmp_path):
    with Caller(str(tmp_path / "api.sock")) as caller:
        unknown = methods.Method("/a.B/C", Empty, Empty)
        assert caller.ask(unknown, Empty()).code == Code.UNIMPLEMENTED
        graph = Definition((encode(Op(source=SourceOp("docker-image://a"))),))
        answer = caller.ask(methods.SOLVE, SolveRequest("r", graph))
        assert answer.code == Code.UNKNOWN
        assert "graphs (LLB) are not built here" in answer.message


def test_calls_through_tls(tmp_path, loop, running_api):
    """The connection that is handed over is then one end of a socket pair."""
    authority = Authority(tmp_path / "authority")
    issued = authority.issue("docker", "docker")
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(issued.certificate, issued.key)
    client = ssl.create_default_context(cafile=str(authority.certificate))
    path = str(tmp_path / "tls.sock")
    with running_api(path, loop, server):
        plain = socket.socket(socket.AF_UNIX)
        plain.connect(path)
        wrapped = client.wrap_socket(plain, server_hostname="docker")
        with Caller(path, wrapped) as caller:
            (answer,) = caller.ask(methods.LIST_WORKERS, ListWorkersRequest())
            assert answer.record[0].platforms
