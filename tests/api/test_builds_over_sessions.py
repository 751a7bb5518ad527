"""`POST /build` with version 2, as `docker build` of 20.10 asks for it."""

import base64
import json
import threading
from urllib.parse import quote

from boxship.engine.build.failures import Place, StepFailedError
from boxship.engine.build.progress import LineRange, SourceText, Vertex
from boxship.engine.build.requests import (
    ClientDirectory,
    DaemonDirectory,
    DockerfileAt,
    FilesOutput,
)
from boxship.oci.digest import Digest
from boxship.wire.buildkit.control import (
    StatusResponse,
)
from boxship.wire.protobuf import decode

IMAGE = "sha256:" + "ab" * 32
STEP = Digest.of(b"a step")
SOURCE = SourceText("Dockerfile", b"FROM busybox\nRUN false\n")
PLACE = Place(SOURCE, (LineRange(2, 2),))


def lines_of(answer):
    return [json.loads(line) for line in answer.body.splitlines()]


def test_a_build_over_a_session_is_told_in_messages(api):
    api.builder.events = [Vertex(STEP, "[1/1] RUN true", started_ns=5)]
    query = "version=2&remote=client-session&t=a&dockerfile=d/Other&networkmode=none&nocache=1"
    trace, image = lines_of(api.client.request("POST", f"/build?{query}"))
    assert trace["id"] == "moby.buildkit.trace"
    status = decode(base64.b64decode(trace["aux"]), StatusResponse)
    assert status.vertices[0].name == "[1/1] RUN true"
    assert image == {"id": "moby.image.id", "aux": {"ID": IMAGE}}
    (request,) = api.builder.requests
    assert request.context == ClientDirectory("context")
    assert request.dockerfile == DockerfileAt("d/Other", ClientDirectory("dockerfile"))
    assert (request.network, request.cache.disabled, request.classic) == ("none", True, False)
    (line,) = lines_of(api.client.request("POST", f"/build?{query}&q=1"))
    assert line == {"stream": IMAGE + "\n"}


def test_its_outputs(api):
    outputs = quote('[{"Type": "tar", "Attrs": {"a": "b"}}]')
    api.client.request("POST", f"/build?version=2&remote=client-session&outputs={outputs}")
    (output,) = api.builder.requests[-1].outputs
    assert (type(output), output.tar) == (FilesOutput, True)
    for wrong in ("{", '[{"Type": "a"}, {"Type": "b"}]', '[{"Type": "other"}]'):
        answer = api.client.request("POST", f"/build?version=2&outputs={quote(wrong)}")
        assert answer.status == 400


def test_its_context_may_come_in_another_request(api):
    def upload():
        api.client.request("POST", "/build?version=2&buildid=upload-request:b", b"tar")

    uploading = threading.Thread(target=upload)
    uploading.start()
    answer = api.client.request("POST", "/build?version=2&remote=upload-request&buildid=b")
    uploading.join(20)
    assert lines_of(answer)[-1]["id"] == "moby.image.id"
    assert api.builder.requests[-1].context == DaemonDirectory("/tar")


def test_its_failure_is_the_last_line(api):
    api.builder.events = [Vertex(STEP, "[1/1] RUN false", started_ns=5)]
    api.builder.failure = StepFailedError("it failed", vertex=STEP, place=PLACE)
    *_, last = lines_of(api.client.request("POST", "/build?version=2&remote=client-session"))
    assert last["error"] == "it failed"
