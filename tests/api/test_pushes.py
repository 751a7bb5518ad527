"""POST /images/{name}/push: what is asked of the engine, and the lines Docker's clients get.

The lines are those that dockerd 20.10 sent for such a push.
"""

import base64
import json

import pytest

from boxship.base.errors import NotFoundError
from boxship.distribution.credentials import Credentials
from boxship.engine.images.pushing import PushRequest
from boxship.model.image import LayerTransfer, PushBegun, TransferDigest, TransferPhase
from boxship.oci.platform import Platform
from boxship.oci.reference import parse

LAYER = "sha256:086a90ae4c1a" + "0" * 52
DIGEST = "sha256:" + "cd" * 32


def lines(answer):
    return [json.loads(line) for line in answer.body.split(b"\r\n") if line]


def test_a_push_is_told_as_docker_tells_it(api):
    api.images.push_events = [
        PushBegun("127.0.0.1:5551/two"),
        LayerTransfer(LAYER, TransferPhase.PREPARING),
        LayerTransfer(LAYER, TransferPhase.WAITING),
        LayerTransfer(LAYER, TransferPhase.PRESENT_THERE),
        LayerTransfer(LAYER, TransferPhase.MOUNTED, source="one"),
        LayerTransfer(LAYER, TransferPhase.PUSHING, 512, 3),
        LayerTransfer(LAYER, TransferPhase.PUSHING, 1024, 2048),
        LayerTransfer(LAYER, TransferPhase.PUSHED),
        TransferDigest(DIGEST, "1", 731),
    ]
    answer = api.client.request("POST", "/images/127.0.0.1:5551/two/push?tag=1")
    assert answer.headers["Content-Type"] == "application/json"
    of_layer = {"id": "086a90ae4c1a", "progressDetail": {}}
    full, half = "=" * 50, "=" * 25
    assert lines(answer) == [
        {"status": "The push refers to repository [127.0.0.1:5551/two]"},
        {"status": "Preparing", **of_layer},
        {"status": "Waiting", **of_layer},
        {"status": "Layer already exists", **of_layer},
        {"status": "Mounted from one", **of_layer},
        {
            "status": "Pushing",
            "progressDetail": {"current": 512, "total": 3},
            "progress": f"[{full}>]     512B",
            "id": "086a90ae4c1a",
        },
        {
            "status": "Pushing",
            "progressDetail": {"current": 1024, "total": 2048},
            "progress": f"[{half}>{' ' * 25}]  1.024kB/2.048kB",
            "id": "086a90ae4c1a",
        },
        {"status": "Pushed", **of_layer},
        {"status": f"1: digest: {DIGEST} size: 731"},
        {"progressDetail": {}, "aux": {"Tag": "1", "Digest": DIGEST, "Size": 731}},
    ]


def test_a_failure_is_the_last_line_and_has_no_code(api):
    api.images.push_events = [PushBegun("reg:1/x"), NotFoundError("tag does not exist: reg:1/x:1")]
    answer = api.client.request("POST", "/images/reg:1/x/push?tag=1")
    assert answer.status == 200
    message = "tag does not exist: reg:1/x:1"
    assert lines(answer)[-1] == {"errorDetail": {"message": message}, "error": message}


@pytest.mark.parametrize(
    ("target", "request_made"),
    [
        ("reg:1/x/push?tag=1", PushRequest(parse("reg:1/x:1"))),
        ("reg:1/x:2/push", PushRequest(parse("reg:1/x:2"))),
        ("reg:1/x/push", PushRequest(parse("reg:1/x"))),
        (
            "x/push?tag=1&platform=%7B%22os%22:%22linux%22,%22architecture%22:%22arm64%22%7D",
            PushRequest(parse("x:1"), Platform("linux", "arm64")),
        ),
    ],
)
def test_what_is_asked_for(api, target, request_made):
    api.client.request("POST", f"/v1.46/images/{target}")
    assert api.images.asked[-1] == ("push", request_made)


def test_older_versions_know_no_platform(api):
    api.client.request("POST", "/v1.45/images/x/push?tag=1&platform=rubbish")
    assert api.images.asked[-1] == ("push", PushRequest(parse("x:1")))


def test_credentials_are_passed_on(api):
    text = base64.urlsafe_b64encode(b'{"username": "me", "password": "secret"}').decode()
    head = f"POST /images/x/push?tag=1 HTTP/1.1\r\nHost: d\r\nX-Registry-Auth: {text}\r\n"
    api.client.send(f"{head}Connection: close\r\nContent-Length: 0\r\n\r\n".encode())
    assert api.images.asked[-1][1].credentials == Credentials("me", "secret")


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("UP/push?tag=1", "must be lowercase"),
        ("x/push?tag=b@d", "invalid tag format"),
        ("x/push?tag=1&platform=%7B%22os%22:%22linux%22%7D", "both OS and Architecture"),
        ("x/push?tag=1&platform=%7B", "failed to parse platform"),
    ],
)
def test_what_cannot_be_meant_is_refused(api, target, message):
    answer = api.client.request("POST", f"/images/{target}")
    assert answer.status == 400
    assert message in json.loads(answer.body)["message"]
