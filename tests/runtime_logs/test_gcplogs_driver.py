"""Google Cloud Logging: entries, and who one is; signatures verified by another library."""

import base64
import json
import os
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from boxship.runtime.logs import gcplogs
from boxship.runtime.logs.driver import DeliveryError
from boxship.runtime.logs.gcpidentity import Metadata, Tokens
from boxship.runtime.logs.rsasigning import read_private_key, sign
from support.loglisteners import FACTS, HttpListener, Reply, Request, entries, http, target

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def pem(form: serialization.PrivateFormat) -> str:
    none = serialization.NoEncryption()
    return KEY.private_bytes(serialization.Encoding.PEM, form, none).decode()


PKCS8 = serialization.PrivateFormat.PKCS8


@pytest.mark.parametrize("form", [PKCS8, serialization.PrivateFormat.TraditionalOpenSSL])
def test_signatures(form: serialization.PrivateFormat) -> None:
    signature = sign(read_private_key(pem(form)), b"message")
    KEY.public_key().verify(signature, b"message", padding.PKCS1v15(), hashes.SHA256())


@pytest.mark.parametrize(
    "text", ["", "key", pem(PKCS8)[:200] + "\n-----END PRIVATE KEY-----", "-----BEGIN X\nAA\n---"]
)
def test_what_is_no_key(text: str) -> None:
    with pytest.raises(ValueError, match="key"):
        read_private_key(text)


class Cloud:
    """Tokens, metadata and entries, from one server."""

    def __init__(self) -> None:
        self.assertions: list[str] = []
        self.refusals: list[Reply] = []

    def answer(self, request: Request) -> Reply:
        if request.path == "/token":
            form = parse_qs(request.body.decode())
            self.assertions += form.get("assertion", form.get("refresh_token", []))
            return Reply(body=b'{"access_token":"T","expires_in":3600}')
        if request.path.startswith("/computeMetadata/v1/"):
            assert request.headers["metadata-flavor"] == "Google"
            values = {
                "project/project-id": b"p-meta",
                "instance/zone": b"projects/1/zones/z-1",
                "instance/name": b"vm",
                "instance/id": b"42",
                "instance/service-accounts/default/token": b'{"access_token":"M"}',
            }
            return Reply(body=values[request.path.removeprefix("/computeMetadata/v1/")])
        assert request.path == "/v2/entries:write"
        return self.refusals.pop(0) if self.refusals else Reply()


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("GOOGLE_APPLICATION_CREDENTIALS", "GCE_METADATA_HOST"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def with_account(
    environment: pytest.MonkeyPatch, path: Path, server: HttpListener, **changes: Any
) -> None:
    account = {
        "type": "service_account",
        "project_id": "p-file",
        "client_email": "me@p",
        "private_key_id": "1",
        "private_key": pem(PKCS8),
        "token_uri": f"{server.url}/token",
        **changes,
    }
    path.write_text(json.dumps(account))
    environment.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(path))
    environment.setenv("CLOUDSDK_API_ENDPOINT_OVERRIDES_LOGGING", f"{server.url}/")


def test_entries_of_a_service_account(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    cloud = Cloud()
    with http(cloud.answer) as server:
        with_account(environment, tmp_path / "account.json", server)
        wanted = target("gcplogs", gcp_project="p", gcp_log_cmd="true", gcp_meta_zone="z")
        with closing(gcplogs.open_driver(wanted)) as driver:
            driver.send(entries("one", b"tw\xff"))
            driver.send(entries("three"))
    token, ping, first, second = server.requests
    assert token.path == "/token"
    text, _, signature = cloud.assertions[0].rpartition(".")
    raw = base64.urlsafe_b64decode(signature + "==")
    KEY.public_key().verify(raw, text.encode(), padding.PKCS1v15(), hashes.SHA256())
    claims = json.loads(base64.urlsafe_b64decode(text.partition(".")[2] + "=="))
    assert (claims["iss"], claims["aud"]) == ("me@p", f"{server.url}/token")
    assert claims["scope"] == "https://www.googleapis.com/auth/logging.write"
    assert ping.json["dryRun"] is True
    assert first.headers["authorization"] == "Bearer T"
    assert first.json["logName"] == "projects/p/logs/gcplogs-docker-driver"
    assert first.json["resource"] == {
        "type": "gce_instance",
        "labels": {"instance_id": "", "zone": "z"},
    }
    written = [*first.json["entries"], *second.json["entries"]]
    assert [entry["jsonPayload"]["message"] for entry in written] == ["one", "tw\ufffd", "three"]
    assert written[0]["timestamp"] == "2026-01-02T03:04:05.123456789Z"
    assert written[0]["jsonPayload"]["instance"] == {"zone": "z"}
    assert written[0]["jsonPayload"]["container"] == {
        "name": "/web",
        "id": FACTS.container_id,
        "imageName": "busybox:1",
        "imageId": "sha256:fedc",
        "created": "2026-01-02T03:04:05.500000000Z",
        "command": "sh -c true",
        "metadata": {"team": "ci", "_own": "2"},
    }
    ids = [entry["insertId"] for entry in written]
    assert ids == sorted(set(ids))


def test_entries_of_an_instance(environment: pytest.MonkeyPatch) -> None:
    with http(Cloud().answer) as server:
        environment.setenv("GCE_METADATA_HOST", server.url.removeprefix("http://"))
        environment.setenv("CLOUDSDK_API_ENDPOINT_OVERRIDES_LOGGING", server.url)
        with closing(gcplogs.open_driver(target("gcplogs"))) as driver:
            driver.send(entries("x"))
    sent = server.requests[-1]
    assert sent.headers["authorization"] == "Bearer M"
    assert sent.json["logName"].startswith("projects/p-meta/")
    assert sent.json["resource"]["labels"] == {"instance_id": "42", "zone": "z-1"}
    payload = sent.json["entries"][0]["jsonPayload"]
    assert payload["instance"] == {"zone": "z-1", "name": "vm", "id": "42"}
    assert "command" not in payload["container"]


def test_a_token_that_is_refused_is_replaced(
    environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    cloud = Cloud()
    with http(cloud.answer) as server:
        with_account(environment, tmp_path / "account.json", server)
        with closing(gcplogs.open_driver(target("gcplogs"))) as driver:
            cloud.refusals = [Reply(401, b"who are you?")]
            with pytest.raises(DeliveryError, match=r"401 .* who are you") as failure:
                driver.send(entries("x", "y"))
            assert not failure.value.refused
            driver.send(entries("x"))
    assert len(cloud.assertions) == 2
    assert server.requests[-1].json["logName"].startswith("projects/p-file/")


def test_an_entry_that_is_refused_takes_no_other_along(
    environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    cloud, taken = Cloud(), []

    def answer(request: Request) -> Reply:
        if request.path != "/v2/entries:write" or "dryRun" in request.json:
            return cloud.answer(request)
        lines = [entry["jsonPayload"]["message"] for entry in request.json["entries"]]
        if "bad" in lines or len(lines) > 3:
            return Reply(400 if "bad" in lines else 413, b"not this")
        if "down" in lines:
            return Reply(503, b"later")
        taken.extend(lines)
        return Reply()

    with http(answer) as server:
        with_account(environment, tmp_path / "account.json", server)
        with closing(gcplogs.open_driver(target("gcplogs"))) as driver:
            with pytest.raises(DeliveryError, match="not this") as failure:
                driver.send(entries("a", "b", "c", "bad", "d", "e"))
            assert (failure.value.delivered, failure.value.refused) == (3, True)
            driver.send(entries("d", "e", "f", "g"))
            with pytest.raises(DeliveryError, match="later") as failure:
                driver.send(entries("h", "i", "down", "j"))
            assert (failure.value.delivered, failure.value.refused) == (2, False)
    assert taken == [*"abcdefghi"]


def test_a_person(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Such tokens come of Google alone, which is not asked: the wish is looked at."""
    with http(Cloud().answer) as server:
        with_account(environment, tmp_path / "me.json", server, type="authorized_user")
        asked: list[bytes] = []

        def ask(method: str, url: str, headers: Any, body: bytes, patience: float) -> bytes:
            asked.append(body)
            return b'{"access_token":"P"}'

        assert Tokens(os.environ, Metadata({}), ask).token() == "P"
    assert parse_qs(asked[0].decode())["grant_type"] == ["refresh_token"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"type": "external_account"}, "credentials of the type 'external_account' are not known"),
        ({"private_key": "x"}, "private_key: this is no private key in PEM"),
    ],
)
def test_credentials_that_are_of_no_use(
    changes: dict[str, str], message: str, environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with http(Cloud().answer) as server:
        with_account(environment, tmp_path / "account.json", server, **changes)
        with pytest.raises(DeliveryError, match=message):
            gcplogs.open_driver(target("gcplogs"))


def test_nobody_and_nowhere(environment: pytest.MonkeyPatch) -> None:
    with pytest.raises(DeliveryError, match="No project was specified"):
        gcplogs.open_driver(target("gcplogs"))
    with pytest.raises(DeliveryError, match="set GOOGLE_APPLICATION_CREDENTIALS"):
        gcplogs.open_driver(target("gcplogs", gcp_project="p"))
