"""Managed plugins over the API: what is asked, and how it is answered."""

import base64
import json
from typing import Any

import pytest

from boxship.distribution.credentials import Credentials
from boxship.engine.managed.installing import PullPlugin
from boxship.engine.managed.privileges import Privilege
from support.fakemanaged import DIGEST, RECORD

SHOWN = base64.urlsafe_b64encode(b'{"username":"me","password":"pw"}').decode()
ME = Credentials("me", "pw")
GRANTED = [{"Name": "network", "Description": "d", "Value": ["host"]}]


def ask(
    api: Any, method: str, path: str, body: bytes = b"", media: str = "application/json"
) -> Any:
    """Return status, head and body."""
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n"
        f"Content-Type: application/json\r\nX-Registry-Auth: {SHOWN}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    answer = api.client.send(head.encode() + body)
    head, _, told = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), head.decode().lower(), told


def lines(told: bytes) -> list[str]:
    return [part.strip() for part in told.decode().split("\r\n") if part.startswith("{")]


def test_plugins_are_listed_as_docker_does(api: Any) -> None:
    (row,) = api.client.json("/plugins?filters=%7B%22enabled%22%3A%5B%22false%22%5D%7D")
    assert api.managed.asked == [("list", {"enabled": ("false",)})]
    assert list(row) == ["Config", "Enabled", "Id", "Name", "PluginReference", "Settings"]
    assert (row["Id"], row["Name"], row["Enabled"]) == (RECORD.id, "me/vol:latest", False)
    assert row["Config"]["Interface"] == {"Socket": "v.sock", "Types": ["docker.volumedriver/1.0"]}
    assert row["Config"]["User"] == {}
    assert row["Settings"]["Env"] == ["DEBUG=0"]
    assert api.client.json("/plugins/me/vol/json") == row


def test_what_a_plugin_asks_for_is_told(api: Any) -> None:
    status, _, told = ask(api, "GET", "/plugins/privileges?remote=me/vol")
    assert (status, json.loads(told)) == (
        200,
        [{"Name": "network", "Description": "a network", "Value": ["host"]}],
    )
    assert api.managed.asked == [("privileges", "me/vol", ME)]


def test_a_pull_tells_how_it_goes_and_what_the_name_is(api: Any) -> None:
    body = json.dumps(GRANTED).encode()
    status, head, told = ask(api, "POST", "/plugins/pull?remote=me/vol&name=mine", body)
    assert status == 200
    assert "docker-plugin-name: mine:latest" in head
    assert [json.loads(line).get("status") for line in lines(told)] == [
        "Pulling from me/vol",
        f"Digest: {DIGEST}",
        "Pull complete",
    ]
    wish = PullPlugin("me/vol", "mine", (Privilege("network", "d", ("host",)),), ME)
    assert api.managed.asked == [("pull", wish)]


def test_an_upgrade_takes_what_was_agreed_to(api: Any) -> None:
    status, _, told = ask(api, "POST", "/plugins/me/vol/upgrade?remote=me/vol:2", b"null")
    assert (status, len(lines(told))) == (200, 1)
    assert api.managed.asked == [("upgrade", "me/vol", PullPlugin("me/vol:2", credentials=ME))]


@pytest.mark.parametrize(
    ("request_", "status", "asked"),
    [
        (("POST", "/plugins/create?name=a", b"tar"), 204, ("create", "a", b"tar")),
        (("POST", "/plugins/me/vol/enable?timeout=7", b""), 200, ("enable", "me/vol", 7)),
        (("POST", "/plugins/me/vol/set", b'["A=1"]'), 204, ("set", "me/vol", ("A=1",))),
        (("POST", "/plugins/me/vol/push", b""), 200, ("push", "me/vol", ME)),
        (("DELETE", "/plugins/me/vol?force=1", b""), 200, ("remove", "me/vol", True)),
    ],
)
def test_what_is_asked_is_passed_on(
    api: Any, request_: tuple[str, str, bytes], status: int, asked: object
) -> None:
    answered, _, _ = ask(api, *request_)
    assert (answered, api.managed.asked) == (status, [asked])


@pytest.mark.parametrize(
    ("request_", "status", "told"),
    [
        (("GET", "/plugins/nope/json", b""), 404, 'plugin "nope" not found'),
        (("POST", "/plugins/nope/push", b""), 404, 'plugin "nope" not found'),
        (("POST", "/plugins/me/vol/disable?force=0", b""), 409, "already disabled"),
        (("POST", "/plugins/me/vol/set", b'{"A": 1}'), 400, "invalid JSON: Expected array"),
        (("POST", "/plugins/me/vol/set", b"[1]"), 400, "Expected str, got int"),
        (("POST", "/plugins/pull?remote=x", b""), 400, "EOF while reading request body"),
        (("POST", "/plugins/me/vol/enable?timeout=x", b""), 400, "timeout"),
    ],
)
def test_what_is_wrong_is_named(
    api: Any, request_: tuple[str, str, bytes], status: int, told: str
) -> None:
    answered, _, message = ask(api, *request_)
    assert (answered, told in json.loads(message)["message"]) == (status, True), message
