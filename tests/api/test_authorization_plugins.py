"""Authorization plugins see what Docker shows them, and nothing passes without their consent."""

import base64
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from boxship.api.authorization import Gate
from boxship.api.authorizationplugins import PluginJudge
from boxship.engine.plugins.entry import PluginEntry
from boxship.engine.settings import PluginSettings
from support.fakeplugin import FakePlugin, Json, serving

YES: Json = {"Allow": True, "Msg": "", "Err": ""}
REQUEST, ANSWER = "AuthZPlugin.AuthZReq", "AuthZPlugin.AuthZRes"


@pytest.fixture
def judged(tmp_path: Path, loop, running_api):
    """Start an API before which plugins stand, by name: what they say before and after."""

    @contextmanager
    def start(timeout: float = 20, **plugins: tuple[object, object]) -> Iterator[object]:
        entry = PluginEntry(PluginSettings((str(tmp_path),), timeout=timeout))
        with ExitStack() as stack:
            served = [
                stack.enter_context(serving(str(tmp_path / f"{name}.sock"), "authz", {
                    REQUEST: _saying(before), ANSWER: _saying(after),
                }))
                for name, (before, after) in plugins.items()
            ]  # fmt: skip
            gate = Gate(tuple(PluginJudge(name, entry) for name in plugins))
            api = stack.enter_context(running_api(str(tmp_path / "api"), loop, None, gate))
            yield api, served

    return start


def _saying(what: object) -> Callable[[Json], object]:
    return what if callable(what) else lambda _: what


def told(plugin: FakePlugin, method: str) -> Json:
    return next(wish for asked, wish in plugin.asked if asked == method)


def test_a_plugin_is_shown_what_docker_shows(judged):
    body = json.dumps({"Name": "vol"}).encode()
    head = (
        "POST /v1.43/volumes/create?x=1 HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n"
        "Content-Type: application/json\r\nX-Registry-Auth: secret\r\nX-Meta: a\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    with judged(one=(YES, YES)) as (api, (plugin,)):
        assert api.client.send(head.encode() + body).startswith(b"HTTP/1.1 201 ")
    before, after = told(plugin, REQUEST), told(plugin, ANSWER)
    assert (before["RequestMethod"], before["RequestUri"]) == ("POST", "/v1.43/volumes/create?x=1")
    assert base64.b64decode(before["RequestBody"]) == body
    assert before["RequestHeaders"]["Content-Type"] == "application/json"
    assert before["RequestHeaders"]["X-Meta"] == "a"
    assert "X-Registry-Auth" not in before["RequestHeaders"]
    assert not {"User", "UserAuthNMethod", "ResponseStatusCode"} & before.keys()
    assert after["ResponseStatusCode"] == 201
    assert base64.b64decode(after["RequestBody"]) == body
    assert json.loads(base64.b64decode(after["ResponseBody"]))["Name"] == "vol"
    assert after["ResponseHeaders"]["Content-Type"] == "application/json"


def test_a_refusal_is_dockers(judged):
    with judged(one=({"Allow": False, "Msg": "not today"}, YES)) as (api, _):
        answer = api.client.request("GET", "/info")
        assert answer.status == 403
        assert json.loads(answer.body) == {
            "message": "authorization denied by plugin one: not today"
        }


def test_the_first_of_a_chain_that_refuses_counts(judged):
    no = {"Allow": False, "Msg": "no"}
    with judged(one=(YES, YES), two=(no, YES), three=(YES, YES)) as (api, plugins):
        answer = api.client.request("POST", "/containers/web/stop")
        assert (answer.status, b"plugin two" in answer.body) == (403, True)
        assert not api.containers.asked
    assert [REQUEST in plugin.methods() for plugin in plugins] == [True, True, False]


def test_an_answer_can_be_withheld(judged):
    no = {"Allow": False, "Msg": "secret"}
    with judged(one=(YES, YES), two=(YES, no)) as (api, _):
        answer = api.client.request("GET", "/containers/json")
        assert (answer.status, b"denied by plugin two: secret" in answer.body) == (403, True)


def test_errors_are_answers_as_well(judged):
    with judged(one=(YES, YES)) as (api, (plugin,)):
        assert api.client.request("GET", "/containers/nobody/json").status == 404
    assert told(plugin, ANSWER)["ResponseStatusCode"] == 404


@pytest.mark.parametrize(
    ("says", "status", "words"),
    [
        ({"Err": "broken"}, 500, "plugin one failed with error: broken"),
        ({}, 403, "authorization denied by plugin one: "),
        ({"Allow": "yes"}, 500, "plugin one answers AuthZPlugin.AuthZReq with nonsense"),
        (b"junk\r\n\r\n", 500, "no HTTP"),
        (lambda _: None, 503, "did not answer AuthZPlugin.AuthZReq within 1.5 seconds"),
    ],
)
def test_one_that_fails_forbids(judged, says, status, words):
    with judged(3 if status == 503 else 20, one=(says, YES)) as (api, _):
        answer = api.client.request("GET", "/v1.45/info")
        assert answer.status == status
        assert words in json.loads(answer.body)["message"]


def test_one_that_has_gone_forbids(judged, tmp_path: Path):
    with judged(one=(YES, YES)) as (api, _):
        assert api.client.request("GET", "/info").status == 200
        (tmp_path / "one.sock").unlink()
        answer = api.client.request("GET", "/v1.45/info")
        assert answer.status == 500
        assert (
            'plugin one failed with error: plugin "one" not found'
            in json.loads(answer.body)["message"]
        )


def test_a_body_cannot_be_hidden_behind_another_content_type(judged):
    with judged(one=(YES, YES)) as (api, (plugin,)):
        api.client.request("POST", "/volumes/create", b'{"Name": "x"}', "a/b")
    assert base64.b64decode(told(plugin, REQUEST)["RequestBody"]) == b'{"Name": "x"}'


def test_a_body_cannot_be_hidden_behind_its_length(judged):
    body = b'{"Name": "x"}' + b" " * (1 << 20)
    with judged(one=(YES, YES)) as (api, (plugin,)):
        answer = api.client.request("POST", "/v1.45/volumes/create", body)
        assert (answer.status, b"longer than 1048576 bytes" in answer.body) == (403, True)
        assert not api.volumes.asked
    assert REQUEST not in plugin.methods()


def test_credentials_are_not_shown(judged):
    body = b'{"username": "u", "password": "geheim"}'
    with judged(one=(YES, YES)) as (api, (plugin,)):
        api.client.request("POST", "/auth", body)
    assert "RequestBody" not in told(plugin, REQUEST)
    assert not {"RequestBody", "ResponseBody"} & told(plugin, ANSWER).keys()


def test_archives_are_not_shown(judged):
    with judged(one=(YES, YES)) as (api, (plugin,)):
        api.client.request("POST", "/images/load", b"tar", "application/x-tar")
    assert "RequestBody" not in told(plugin, REQUEST)
