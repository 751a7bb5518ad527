"""POST /build: what the query becomes, and what the stream says."""

import base64
import json
from urllib.parse import urlencode

import pytest

from boxship.base.errors import InvalidArgumentError
from boxship.engine.build.failures import Place, StepFailedError
from boxship.engine.build.progress import (
    BuildPlan,
    LineRange,
    PlannedStep,
    SourceText,
    Vertex,
    VertexLog,
    VertexStatus,
    VertexWarning,
)
from boxship.engine.build.requests import (
    CacheImport,
    CacheKind,
    DaemonDirectory,
    DockerfileAt,
    ImageOutput,
    PruneRequest,
    Pull,
    RemoteSource,
)
from boxship.oci.digest import Digest
from boxship.oci.platform import Platform
from boxship.oci.reference import parse
from boxship.solver.operations import Limits, Ulimit

FROM, MAKE, TEST, COPY = (Digest("sha256", letter * 64) for letter in "abcd")
LAYER = Digest("sha256", "e" * 64)
FULL = "sha256:" + "ab" * 32
PLAN = BuildPlan(
    (
        PlannedStep(1, 5, "FROM busybox", FROM, "0", 1),
        PlannedStep(2, 5, "RUN make", MAKE, "0", 2),
        PlannedStep(3, 5, "ENV a=b", None, "0", 3),
        PlannedStep(4, 5, "RUN make test", TEST, "0", 4),
        PlannedStep(5, 5, "COPY a /", COPY, "0", 5),
    )
)


def build(api, body=b"tar", headers=(), **query):
    """Ask for a build; the status and the lines."""
    extra = "".join(f"{name}: {value}\r\n" for name, value in headers)
    path = "/build" + ("?" + urlencode(query, doseq=True) if query else "")
    head = f"POST {path} HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n{extra}"
    if not extra:
        answer = api.client.request("POST", path, body, "application/x-tar")
        status, text = answer.status, answer.body
    else:
        data = api.client.send(
            f"{head}Content-Type: application/x-tar\r\nContent-Length: {len(body)}\r\n\r\n".encode()
            + body
        )
        status, text = int(data.split()[1]), b""
    return status, [json.loads(line) for line in text.splitlines()]


def said(lines):
    return "".join(line.get("stream", "") for line in lines)


def done(vertex, *, cached=False, error="", layers=(LAYER,)):
    return [
        Vertex(vertex, "v", started_ns=1, cached=cached),
        Vertex(vertex, "v", (), 1, 2, cached, error, () if error else layers),
    ]


def test_a_build_is_asked_for_by_its_query(api):
    query = {
        "dockerfile": "docker/Dockerfile.web",
        "t": ["web", "reg.example:5000/web:1", "web:latest"],
        "target": "final",
        "buildargs": '{"A": "1", "B": null}',
        "labels": '{"l": "x"}',
        "nocache": "1",
        "pull": "true",
        "cachefrom": '["web:old"]',
        "platform": "linux/arm64",
        "networkmode": "none",
        "extrahosts": ["db:10.0.0.1", "six:[::1]"],
        "memory": 64 << 20,
        "memswap": -1,
        "cpushares": 5,
        "cpuperiod": 1000,
        "cpuquota": 500,
        "cpusetcpus": "0-1",
        "cpusetmems": "0",
        "cgroupparent": "/there",
        "shmsize": 1 << 20,
        "ulimits": '[{"Name": "nofile", "Soft": 5, "Hard": -1}]',
        "squash": "1",
        "buildid": "mine",
        "rm": "1",
        "forcerm": "1",
    }
    status, _ = build(api, b"the tar", **query)
    assert status == 200
    (request,) = api.builder.requests
    assert request.dockerfile == DockerfileAt("docker/Dockerfile.web")
    assert request.context == DaemonDirectory("/the tar")
    names = (parse("web:latest"), parse("reg.example:5000/web:1"))
    assert request.outputs == (ImageOutput(names),)
    assert request.build_args == {"A": "1", "B": None}
    assert (request.labels, request.target) == ({"l": "x"}, "final")
    assert request.cache.disabled
    assert request.cache.imports == (CacheImport(CacheKind.REGISTRY, {"ref": "web:old"}),)
    assert request.pull is Pull.ALWAYS
    assert request.platforms == (Platform("linux", "arm64"),)
    assert (request.network, request.squash, request.reference) == ("none", True, "mine")
    assert request.extra_hosts == (("db", "10.0.0.1"), ("six", "::1"))
    assert request.limits == Limits(
        *(64 << 20, -1, 5, 1000, 500, "0-1", "0", 1 << 20, (Ulimit("nofile", 5, -1),), "/there")
    )
    assert request.classic


def test_nothing_said_is_dockers_default(api):
    build(api)
    (request,) = api.builder.requests
    assert request.dockerfile == DockerfileAt("Dockerfile")
    assert request.outputs == (ImageOutput(()),)
    assert (request.network, request.limits, request.platforms) == ("default", Limits(), ())
    assert request.pull is Pull.MISSING
    assert not request.cache.disabled


def test_a_remote_context_is_fetched_by_the_builder(api):
    build(api, b"", remote="https://example.org/app.git#main:sub", networkmode="bridge")
    (request,) = api.builder.requests
    assert request.context == RemoteSource("https://example.org/app.git#main:sub")
    assert request.network == "default"


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ({"buildargs": "nope"}, "error reading build args"),
        ({"buildargs": '{"A": 1}'}, "error reading build args"),
        ({"labels": "[]"}, "error reading labels"),
        ({"ulimits": '{"Name": "x"}'}, "error reading ulimit settings"),
        ({"cachefrom": "nope"}, "error reading cache-from"),
        ({"shmsize": "much"}, 'invalid shmsize: "much"'),
        ({"shmsize": "-1"}, "must not be less than 0"),
        ({"memory": "100"}, "Minimum memory limit allowed is 6MB"),
        ({"cpuquota": "x"}, "invalid cpuquota"),
        ({"platform": "nope/x/y/z"}, "platform"),
        ({"platform": ["linux/amd64", "linux/arm64"]}, "only one platform"),
        ({"isolation": "hyperv"}, 'unsupported isolation: "hyperv"'),
        ({"version": "3"}, 'invalid version "3"'),
        (
            {"dockerfile": "../Dockerfile"},
            "forbidden path outside the build context: ../Dockerfile",
        ),
        ({"dockerfile": "a/../../x"}, "forbidden path outside the build context"),
        ({"t": "Web:1"}, "must be lowercase"),
        ({"t": f"web@{FULL}"}, "build tag cannot contain a digest"),
        ({"extrahosts": "db"}, 'bad format for add-host: "db"'),
    ],
)
def test_bad_queries_are_refused_by_name(api, query, named):
    status, lines = build(api, **query)
    assert status == 400
    assert named in lines[0]["message"]
    assert api.builder.requests == []


def test_security_options_are_not_passed_over(api):
    status, lines = build(api, securityopt="seccomp=unconfined")
    assert (status, api.builder.requests) == (400, [])
    assert lines[0]["message"] == (
        "The daemon on this platform does not support setting security options on build"
    )


def test_steps_are_told_in_the_dockerfiles_order(api):
    """What runs side by side is shown one after the other."""
    api.builder.events = [
        PLAN,
        *done(COPY, cached=True),
        *done(FROM),
        Vertex(TEST, "v", started_ns=1),
        VertexLog(TEST, 1, b"tested\n", 1),
        Vertex(MAKE, "v", started_ns=1),
        VertexLog(MAKE, 1, b"made \xc3", 1),
        VertexLog(MAKE, 1, b"\xa4\n", 1),
        VertexLog(MAKE, 2, b"warned\n", 1),
        *done(TEST)[1:],
        VertexWarning(MAKE, "unwise", rule="Rule", ranges=(LineRange(2, 2),)),
        *done(MAKE)[1:],
    ]
    _, lines = build(api, t="web")
    assert said(lines) == (
        "Step 1/5 : FROM busybox\n ---> eeeeeeeeeeee\n"
        "Step 2/5 : RUN make\n ---> Running in bbbbbbbbbbbb\nmade ä\n\x1b[91mwarned\n\x1b[0m"
        " ---> Removed intermediate container bbbbbbbbbbbb\n ---> eeeeeeeeeeee\n"
        "Step 3/5 : ENV a=b\n"
        "Step 4/5 : RUN make test\n ---> Running in cccccccccccc\ntested\n"
        " ---> Removed intermediate container cccccccccccc\n ---> eeeeeeeeeeee\n"
        "Step 5/5 : COPY a /\n ---> Using cache\n ---> eeeeeeeeeeee\n"
        "[Warning] Rule: unwise (line 2)\n"
        "Successfully built abababababab\nSuccessfully tagged web:latest\n"
    )
    assert [line for line in lines if "aux" in line] == [{"aux": {"ID": FULL}}]


def test_output_of_later_steps_is_kept_within_bounds(api):
    loud = [VertexLog(TEST, 1, b"x" * (1 << 18), 1) for _ in range(8)]
    api.builder.events = [PLAN, *loud, *done(FROM), *done(MAKE), *done(TEST)]
    _, lines = build(api)
    assert said(lines).count("x" * (1 << 18)) == 5
    assert f"[{3 << 18} bytes of output left out]" in said(lines)


def test_a_pull_shows_how_far_it_is(api):
    """Before there is a plan, too: it depends on base images."""
    status = VertexStatus(f"Downloading {LAYER}", FROM, "Downloading", 5, 10, 1)
    begun = Vertex(FROM, "v", started_ns=1)
    for events in ([PLAN, begun, status], [begun, status, PLAN]):
        api.builder.events = events
        _, lines = build(api)
        (line,) = (line for line in lines if "status" in line)
        assert (line["id"], line["status"]) == ("e" * 12, "Downloading")
        assert line["progressDetail"] == {"current": 5, "total": 10}


def test_a_command_that_fails_ends_the_stream_with_its_code(api):
    place = Place(SourceText("Dockerfile", b"FROM busybox\nRUN make\n"), (LineRange(2, 2),))
    api.builder.events = [
        *(PLAN, *done(FROM), Vertex(MAKE, "v", started_ns=1)),
        VertexLog(MAKE, 2, b"no rule\n", 1),
        *done(MAKE, error="failed")[1:],
    ]
    api.builder.failure = StepFailedError(
        "failed", vertex=MAKE, command="/bin/sh -c make", exit_code=2, place=place
    )
    status, lines = build(api)
    message = "The command '/bin/sh -c make' returned a non-zero code: 2"
    assert status == 200
    assert lines[-1] == {"errorDetail": {"code": 2, "message": message}, "error": message}
    assert "no rule" in said(lines)
    assert "   2 | >>> RUN make\n" in said(lines)
    assert "Successfully" not in said(lines)


def test_a_later_step_that_fails_first_is_heard(api):
    api.builder.events = [
        *(PLAN, *done(FROM), Vertex(MAKE, "v", started_ns=1), Vertex(TEST, "v", started_ns=1)),
        VertexLog(TEST, 1, b"broken\n", 1),
    ]
    api.builder.failure = StepFailedError("no more", vertex=TEST)
    _, lines = build(api)
    assert said(lines).endswith("Step 4/5 : RUN make test\n ---> Running in cccccccccccc\nbroken\n")
    assert lines[-1] == {"errorDetail": {"message": "no more"}, "error": "no more"}


def test_files_that_cannot_be_copied_say_so(api):
    api.builder.events = [PLAN, *done(FROM)]
    api.builder.failure = StepFailedError('"/a": not found', vertex=COPY)
    _, lines = build(api)
    assert lines[-1]["error"] == 'COPY failed: "/a": not found'


def test_an_error_before_the_first_step_has_its_status(api):
    api.builder.failure = InvalidArgumentError("unknown instruction: RNU")
    status, lines = build(api)
    assert (status, lines) == (400, [{"message": "unknown instruction: RNU"}])


@pytest.mark.parametrize("fails", [False, True])
def test_a_quiet_build_says_its_image_or_why_not(api, fails):
    api.builder.events = [PLAN, *done(FROM)]
    if fails:
        api.builder.failure = StepFailedError("it failed", vertex=MAKE)
    _, lines = build(api, q="1")
    if fails:
        assert said(lines).startswith("Step 1/5")
        assert lines[-1]["error"] == "it failed"
    else:
        assert lines == [{"stream": f"{FULL}\n"}]


def test_a_client_that_hangs_up_ends_its_build(api):
    api.builder.events, api.builder.endless = [PLAN], True
    with api.client.connect() as sock:
        sock.sendall(b"POST /build HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nt")
        assert b"200 OK" in sock.recv(1000)
        assert not api.builder.ended.is_set()
    assert api.builder.ended.wait(5)


@pytest.mark.parametrize("host", ["docker.io", "reg.example:5000", "elsewhere"])
def test_logins_come_along(api, host):
    logins = {
        "https://index.docker.io/v1/": {"username": "me", "password": "secret"},
        "reg.example:5000": {"auth": base64.b64encode(b"you:word").decode()},
    }
    header = base64.urlsafe_b64encode(json.dumps(logins).encode()).decode()
    build(api, headers=[("X-Registry-Config", header)])
    (client,) = api.builder.clients
    coming = client.credentials(host)
    with pytest.raises(StopIteration) as stopped:
        coming.send(None)
    found = stopped.value.value
    pair = (found.username, found.password) if found else None
    assert pair == {"docker.io": ("me", "secret"), "reg.example:5000": ("you", "word")}.get(host)


def test_cancelling_and_pruning(api):
    assert api.client.request("POST", "/build/cancel").message == "build ID not provided"
    assert api.client.request("POST", "/build/cancel?id=mine").status == 200
    answer = api.client.request(
        "POST",
        "/build/prune?all=1&reserved-space=7&max-used-space=8&min-free-space=9&filters=%7B%7D",
    )
    assert json.loads(answer.body) == {"CachesDeleted": ["one"], "SpaceReclaimed": 5}
    wanted = PruneRequest(all=True, keep_bytes=7, max_used_bytes=8, min_free_bytes=9)
    assert api.builder.asked == [("cancel", "mine"), wanted]
    assert api.client.request("POST", "/v1.47/build/prune?keep-storage=5").status == 200
    assert api.builder.asked[-1] == PruneRequest(keep_bytes=5)
    asked = len(api.builder.asked)
    labelled = api.client.request("POST", "/build/prune?filters=%7B%22label%22:[%22a%22]%7D")
    assert json.loads(labelled.body) == {"CachesDeleted": None, "SpaceReclaimed": 0}
    assert len(api.builder.asked) == asked
    refused = api.client.request("POST", '/build/prune?filters={"x":["y"]}'.replace('"', "%22"))
    assert refused.message == "failed to prune build cache: invalid filter 'x'"


def test_what_has_no_effect_is_taken(api):
    status, _ = build(api, rm="0", forcerm="1", outputs='[{"Type": "moby"}]')
    assert status == 200
    assert api.builder.requests[0].outputs == (ImageOutput(()),)
