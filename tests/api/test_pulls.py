"""POST /images/create?fromImage=: what is asked of the engine, and the lines Docker's clients get.

The lines are those that dockerd 20.10 sent for such a pull.
"""

import base64
import json

import pytest

from boxship.api.http.messages import Request
from boxship.api.registryauth import credentials
from boxship.base.errors import NotFoundError, UnavailableError
from boxship.distribution.credentials import Credentials
from boxship.engine.images.pulling import PullRequest
from boxship.model.image import (
    LayerTransfer,
    Pulled,
    TransferBegun,
    TransferDigest,
    TransferPhase,
)
from boxship.oci.platform import Platform
from boxship.oci.reference import parse

LAYER = "sha256:086a90ae4c1a" + "0" * 52
DIGEST = "sha256:" + "cd" * 32


def lines(answer):
    return [json.loads(line) for line in answer.body.split(b"\r\n") if line]


def test_a_pull_is_told_as_docker_tells_it(api):
    api.images.pull_events = [
        TransferBegun("lib/app", "2"),
        LayerTransfer(LAYER, TransferPhase.WAITING_TO_PULL),
        LayerTransfer(LAYER, TransferPhase.WAITING),
        LayerTransfer(LAYER, TransferPhase.DOWNLOADING, 36445, 3001220),
        LayerTransfer(LAYER, TransferPhase.RETRYING, 1),
        LayerTransfer(LAYER, TransferPhase.RETRYING, 5),
        LayerTransfer(LAYER, TransferPhase.VERIFYING),
        LayerTransfer(LAYER, TransferPhase.DOWNLOADED),
        LayerTransfer(LAYER, TransferPhase.EXTRACTING, 106, 106),
        LayerTransfer(LAYER, TransferPhase.PULLED),
        TransferDigest(DIGEST),
        Pulled("reg:1/lib/app:2", DIGEST, newer=True),
    ]
    answer = api.client.request("POST", "/images/create?fromImage=reg:1/lib/app&tag=2")
    assert answer.headers["Content-Type"] == "application/json"
    of_layer = {"id": "086a90ae4c1a", "progressDetail": {}}
    assert lines(answer) == [
        {"status": "Pulling from lib/app", "id": "2"},
        {"status": "Pulling fs layer", **of_layer},
        {"status": "Waiting", **of_layer},
        {
            "status": "Downloading",
            "progressDetail": {"current": 36445, "total": 3001220},
            "progress": f"[>{' ' * 50}]  36.45kB/3.001MB",
            "id": "086a90ae4c1a",
        },
        {"status": "Retrying in 1 second", **of_layer},
        {"status": "Retrying in 5 seconds", **of_layer},
        {"status": "Verifying Checksum", **of_layer},
        {"status": "Download complete", **of_layer},
        {
            "status": "Extracting",
            "progressDetail": {"current": 106, "total": 106},
            "progress": f"[{'=' * 50}>]     106B/106B",
            "id": "086a90ae4c1a",
        },
        {"status": "Pull complete", **of_layer},
        {"status": f"Digest: {DIGEST}"},
        {"status": "Status: Downloaded newer image for reg:1/lib/app:2"},
    ]


@pytest.mark.parametrize(
    ("query", "reference"),
    [
        ("fromImage=busybox&tag=1", "busybox:1"),
        ("fromImage=busybox:2", "busybox:2"),
        ("fromImage=busybox", "busybox"),
        (f"fromImage=busybox&tag={DIGEST}", f"busybox@{DIGEST}"),
        (f"fromImage=reg:5000/a/b@{DIGEST}", f"reg:5000/a/b@{DIGEST}"),
    ],
)
def test_what_is_to_be_pulled(api, query, reference):
    api.images.pull_events = [Pulled("x", DIGEST, newer=False)]
    api.client.request("POST", f"/images/create?{query}&platform=linux/arm64")
    assert api.images.asked == [("pull", PullRequest(parse(reference), Platform("linux", "arm64")))]


def test_a_failure_before_the_first_line_has_its_status(api):
    api.images.pull_events = [NotFoundError("manifest for x:1 not found: manifest unknown")]
    answer = api.client.request("POST", "/images/create?fromImage=x&tag=1")
    assert (answer.status, answer.message) == (404, "manifest for x:1 not found: manifest unknown")


def test_a_failure_later_is_the_last_line_and_has_no_code(api):
    api.images.pull_events = [TransferBegun("x", "1"), UnavailableError("no space left on device")]
    answer = api.client.request("POST", "/images/create?fromImage=x&tag=1")
    said = "no space left on device"
    assert lines(answer)[1:] == [{"errorDetail": {"message": said}, "error": said}]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("fromImage=", "fromImage or fromSrc is required"),
        ("fromImage=Foo", "repository name"),
        ("fromImage=x&platform=a/b/c/d", "a/b/c/d"),
        ("fromImage=x&tag=sha256:12", "invalid reference format"),
    ],
)
def test_bad_requests(api, query, said):
    answer = api.client.request("POST", f"/images/create?{query}")
    assert answer.status == 400
    assert said in answer.message


def header(text: str) -> Credentials | None:
    request = Request.__new__(Request)
    request.headers = {"x-registry-auth": text}
    return credentials(request)


def test_credentials_in_every_spelling_of_base64():
    document = {"username": "mé", "password": "p?>ÿ", "serveraddress": "reg:1", "email": "x"}
    text = json.dumps(document, ensure_ascii=False).encode()
    expected = Credentials("mé", "p?>ÿ", server="reg:1")
    for encode in (base64.urlsafe_b64encode, base64.b64encode):
        encoded = encode(text).decode()
        assert header(encoded) == header(encoded.rstrip("=")) == expected
    token = base64.b64encode(b'{"identitytoken":"t"}').decode()
    assert header(token) == Credentials(identity_token="t")


@pytest.mark.parametrize("text", ["", "!!", "e30", "bnVsbA==", base64.b64encode(b"[1]").decode()])
def test_what_is_no_credentials(text):
    assert header(text) is None
