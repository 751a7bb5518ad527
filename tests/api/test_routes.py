"""What every request can rely on: headers, status codes, versions, errors, parameters."""

import msgspec
import pytest

from boxship.api.endpoints.table import ROUTES
from boxship.api.errors import status_of
from boxship.base import errors
from boxship.engine.containers.requests import ContainerQuery, ExecConfig
from boxship.model.container import PortBinding


def test_ping(api):
    answer = api.client.request("GET", "/_ping")
    assert (answer.status, answer.body) == (200, b"OK")
    expected = {
        "Api-Version": "1.56",
        "Ostype": "linux",
        "Docker-Experimental": "false",
        "Cache-Control": "no-cache, no-store, must-revalidate",
        "Pragma": "no-cache",
        "Swarm": "inactive",
        "Content-Type": "text/plain; charset=utf-8",
    }
    assert expected.items() <= answer.headers.items()
    head = api.client.request("HEAD", "/_ping")
    assert (head.status, head.body, head.headers["Content-Length"]) == (200, b"", "0")


@pytest.mark.parametrize(
    ("path", "message"),
    [
        (
            "/v9.99/_ping",
            "client version 9.99 is too new. Maximum supported API version is 1.56",
        ),
        (
            "/v1.23/info",
            "client version 1.23 is too old. Minimum supported API version is 1.24, "
            "please upgrade your client to a newer version",
        ),
    ],
)
def test_versions_out_of_range(api, path, message):
    answer = api.client.request("GET", path)
    assert (answer.status, answer.message) == (400, message)


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/nope"), ("PUT", "/_ping"), ("GET", "/v1.41"), ("GET", "/containers//json")],
)
def test_page_not_found(api, method, path):
    answer = api.client.request(method, path)
    assert (answer.status, answer.message) == (404, "page not found")
    assert answer.headers["Api-Version"] == "1.56"


def test_options_is_always_200(api):
    answer = api.client.request("OPTIONS", "/anything")
    assert (answer.status, answer.body) == (200, b"")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/containers/web/start", 304),
        ("POST", "/containers/old/start", 204),
        ("POST", "/containers/web/stop?t=3", 204),
        ("POST", "/containers/web/kill", 204),
        ("POST", "/containers/web/pause", 409),
        ("POST", "/containers/web/unpause", 500),
        ("POST", "/containers/web/rename?name=/new", 204),
        ("POST", "/containers/web/resize?h=1&w=2", 200),
        ("DELETE", "/containers/web?force=1&v=0", 204),
        ("GET", "/containers/nope/json", 404),
        ("GET", "/swarm", 503),
        ("GET", "/services/x/logs", 503),
        ("POST", "/grpc", 400),
        ("GET", "/volumes/x", 404),
        ("GET", "/plugins", 200),
        ("GET", "/plugins/nope/json", 404),
        ("POST", "/plugins/a/nope/enable", 404),
    ],
)
def test_status_codes(api, method, path, status):
    answer = api.client.request(method, path)
    assert answer.status == status
    if status in (204, 304):
        assert answer.body == b""
        assert "Content-Length" not in answer.headers
        assert "Content-Type" not in answer.headers
    elif status >= 400:
        assert answer.body.endswith(b"}\n")
        assert answer.headers["Content-Type"] == "application/json"


def test_parameters_reach_the_engine(api):
    post = api.client.request
    post("POST", "/v1.41/containers/web/stop?t=3&signal=INT")
    post("POST", "/v1.42/containers/web/restart?t=-1&signal=INT")
    post("POST", "/containers/web/resize?h=24&w=80")
    post("POST", "/exec/e/resize?h=24&w=80")
    post("DELETE", "/containers/web?force=True&v=none&link=0")
    post("GET", "/containers/json?all=1&limit=5&filters=%7B%22name%22:%7B%22a%22:true%7D%7D")
    assert api.containers.asked == [
        ("stop", (None, 3)),
        ("restart", ("INT", -1)),
        ("resize", (24, 80)),
        ("exec_resize", (24, 80)),
        ("remove", (True, False, False)),
        ("list", ContainerQuery(all=True, limit=5, filters={"name": ("a",)})),
    ]


def test_bad_numbers(api):
    assert api.client.request("POST", "/containers/web/resize?h=x&w=1").status == 400
    assert api.client.request("POST", "/containers/web/resize").status == 400
    assert api.client.request("POST", "/containers/web/stop?t=soon").status == 400


@pytest.mark.parametrize("target", ["/containers/web", "/exec/e"])
@pytest.mark.parametrize(("size", "side"), [("h=70000&w=1", "h"), ("h=1&w=-1", "w")])
def test_a_terminal_s_sides_have_sixteen_bits(api, target, size, side):
    answer = api.client.request("POST", f"{target}/resize?{size}")
    assert answer.status == 400
    assert f"invalid {side}: " in answer.message
    assert not any("resize" in name for name, _ in api.containers.asked)


CREATE = {
    "Image": "busybox",
    "Cmd": ["true"],
    "Hostname": None,
    "exposedports": {"80/tcp": None},
    "HostConfig": {
        "NetworkMode": "none",
        "PortBindings": {"80/tcp": [{"HostPort": "8080"}], "81/tcp": None},
        "Memory": 1 << 30,
        "Binds": ["/a:/b"],
        "AutoRemove": True,
        "Annotations": {"a": "b"},
        "FutureField": {"x": 1},
    },
    "NetworkingConfig": {"EndpointsConfig": {"none": None}},
}


def create(api, body, path="/containers/create?name=/web2"):
    answer = api.client.request("POST", path, msgspec.json.encode(body))
    assert answer.status == 201, answer.body
    assert msgspec.json.decode(answer.body) == {"Id": "cd" * 32, "Warnings": ["careful"]}
    return api.containers.asked[-1][1]


def test_create_keeps_what_the_client_sent(api):
    request = create(api, CREATE)
    assert request.name == "web2"
    assert [(wish.network, wish.network_id) for wish in request.endpoints] == [("none", "")]
    assert request.config.cmd == ("true",)
    assert request.config.hostname == ""
    assert request.config.exposed_ports == {"80/tcp": {}}
    assert request.host.memory == 1 << 30
    assert request.host.binds == ("/a:/b",)
    assert request.host.port_bindings["80/tcp"] == (PortBinding(host_port="8080"),)
    assert request.host.auto_remove
    assert request.host.annotations == {"a": "b"}


def test_create_by_older_versions(api):
    request = create(api, CREATE, "/v1.24/containers/create")
    assert request.name is None
    assert not request.host.auto_remove
    assert request.host.ipc_mode == "shareable"
    assert request.host.cgroupns_mode == ""  # the machine has version 2 alone
    assert request.shallow_read_only
    assert create(api, CREATE, "/v1.42/containers/create").host.auto_remove


def test_one_string_is_a_command_of_one_word(api):
    assert create(api, {"Image": "a", "Cmd": "sh"}).config.cmd == ("sh",)


@pytest.mark.parametrize(
    ("body", "content_type", "message"),
    [
        (b"", "application/json", "invalid JSON: got EOF while reading request body"),
        (b"{", "application/json", "invalid JSON: Input data was truncated"),
        (
            b'{"HostConfig":{"Memory":"1g"}}',
            "application/json",
            "invalid JSON: HostConfig.Memory: Expected int, got str",
        ),
        (
            b"{}",
            "text/plain",
            "unsupported Content-Type header (text/plain): must be 'application/json'",
        ),
        (b"{}", "", "unsupported Content-Type header (): must be 'application/json'"),
    ],
)
def test_bad_bodies(api, body, content_type, message):
    answer = api.client.request("POST", "/containers/create", body, content_type)
    assert (answer.status, answer.message) == (400, message)


def test_list_shows_what_changed_between_versions(api):
    (newest, _) = api.client.json("/containers/json")
    assert newest["Names"] == ["/web"]
    assert newest["Status"] == "Up 2 minutes"
    assert newest["Command"] == "sh -c 'echo hi'"
    assert newest["Image"] == "busybox"
    assert newest["Health"] == {"Status": "none", "FailingStreak": 0}
    assert newest["HostConfig"] == {"NetworkMode": "none", "Annotations": {"a": "b"}}
    (old, _) = api.client.json("/v1.43/containers/json")
    assert "Health" not in old
    assert old["HostConfig"] == {"NetworkMode": "none"}
    assert "DNSNames" not in old["NetworkSettings"]["Networks"]["none"]


def test_inspect_shows_what_changed_between_versions(api):
    newest = api.client.json("/containers/web/json")
    assert newest["State"]["Pid"] == 77
    assert set(newest["NetworkSettings"]) == {"SandboxID", "SandboxKey", "Ports", "Networks"}
    assert "KernelMemory" not in newest["HostConfig"]
    old = api.client.json("/v1.41/containers/web/json")
    assert old["NetworkSettings"]["IPAddress"] == ""
    assert old["HostConfig"]["KernelMemory"] == 0
    assert "Annotations" not in old["HostConfig"]


def test_exec(api):
    body = {"Cmd": ["ls"], "Tty": True, "Env": None, "User": "me", "ConsoleSize": [24, 80]}
    answer = api.client.request("POST", "/containers/web/exec", msgspec.json.encode(body))
    assert (answer.status, msgspec.json.decode(answer.body)) == (201, {"Id": "ef" * 32})
    wanted = ExecConfig(cmd=("ls",), tty=True, user="me", console_size=(24, 80))
    assert api.containers.asked[-1] == ("exec_create", wanted)
    answer = api.client.request("POST", "/containers/web/exec", b'{"Cmd":[]}')
    assert (answer.status, answer.message) == (400, "No exec command specified")
    answer = api.client.request("POST", "/exec/e/start", b'{"Detach":true}')
    assert (answer.status, answer.body) == (200, b"")
    view = api.client.json("/exec/e/json")
    assert (view["ID"], view["ExitCode"], view["ProcessConfig"]["entrypoint"]) == (
        "e",
        None,
        "true",
    )


def test_info_and_version(api):
    info = api.client.json("/info")
    assert (info["Containers"], info["ContainersPaused"], info["Images"]) == (6, 2, 1)
    assert info["Labels"] == ["a=b"]
    assert "name=cgroupns" in info["SecurityOptions"]
    version = api.client.json("/version")
    assert (version["ApiVersion"], version["MinAPIVersion"]) == ("1.56", "1.24")
    assert version["Components"][0]["Name"] == "Engine"


def test_every_error_class_has_a_status():
    def classes(base):
        for kind in base.__subclasses__():
            yield kind
            yield from classes(kind)

    statuses = {
        kind.__name__: status_of(kind.__new__(kind)) for kind in classes(errors.BoxshipError)
    }
    assert statuses["NotFoundError"] == 404
    assert statuses["StartRefusedError"] == 400
    assert statuses["NotImplementedYetError"] == 501


def test_routes_are_named_once():
    names = [(method, pattern) for method, pattern, _ in ROUTES]
    assert len(names) == len(set(names))


def test_a_traced_start_tells_where_the_time_went(api):
    answer = api.client.request("POST", "/containers/old/start?trace=1")
    steps = msgspec.json.decode(answer.body)
    assert (answer.status, steps) == (200, {"Steps": [{"Name": "fork", "Milliseconds": 1.5}]})


def test_inspect_shows_where_the_files_are(api):
    view = api.client.json("/containers/web/json")
    assert view["GraphDriver"]["Data"] == {"UpperDir": f"/snapshots/{view['Id']}/upper"}


@pytest.mark.parametrize(
    ("version", "pids", "kernel"),
    [("1.39", None, 100), ("1.41", 7, 100), ("1.42", 7, msgspec.UNSET)],
)
def test_an_update_is_read_as_its_version_means_it(api, version, pids, kernel):
    body = {"pidslimit": 7, "KernelMemory": 100, "BlkioWeight": 10, "RestartPolicy": None}
    path = f"/v{version}/containers/web/update"
    answer = api.client.request("POST", path, msgspec.json.encode(body))
    assert (answer.status, answer.body) == (200, b'{"Warnings":["a warning"]}\n')
    _, wanted = api.containers.asked[-1]
    assert (wanted.pids_limit, wanted.kernel_memory) == (pids, kernel)
    assert (wanted.blkio_weight, wanted.restart_policy.name) == (10, "")


def test_an_update_without_warnings_and_a_bad_one(api):
    answer = api.client.request("POST", "/containers/web/update", b'{"Memory": 1}')
    assert answer.body == b'{"Warnings":null}\n'
    answer = api.client.request("POST", "/containers/web/update", b'{"Memory": "x"}')
    assert (answer.status, answer.message) == (400, "invalid JSON: Memory: Expected int, got str")


def test_other_ports_and_rules(api):
    body = {
        "PublishAdd": {f"{port}/tcp": [{"HostPort": str(port)}] for port in (80, 81)},
        "PublishRemove": ["9090/udp"],
        "Egress": ["deny"],
    }
    answer = api.client.request("POST", "/containers/web/update", msgspec.json.encode(body))
    assert answer.status == 200
    (_, wanted), (_, ports) = api.containers.asked[-2:]
    assert wanted.egress == ("deny",)
    assert ports.add == {"80-81/tcp": (PortBinding(host_port="80-81"),)}
    assert ports.remove == ("9090/udp",)


def test_connections_that_rules_looked_at(api):
    path = "/boxship/networks/audit"
    (found,) = api.client.json(f"{path}?container=web&verdict=deny&limit=5")
    assert (found["destination"], found["port"], found["names"]) == ("203.0.113.9", 443, [])
    assert api.containers.asked[-1] == ("connections", ("web", "deny", 5))
    assert api.client.request("GET", f"{path}?verdict=x").status == 400
    assert api.client.request("GET", f"{path}?limit=-1").status == 400


def test_an_explanation(api):
    found = api.client.json("/containers/web/explain")
    assert (found["Name"], found["Command"], found["Limits"]) == ("web", ["true"], [])


def test_sizes_when_asked_for(api):
    assert "SizeRw" not in api.client.json("/containers/web/json")
    found = api.client.json("/containers/web/json?size=1")
    assert (found["SizeRw"], found["SizeRootFs"]) == (5, 12)
    row = api.client.json("/containers/json?size=true")[0]
    assert (row["SizeRw"], row["SizeRootFs"]) == (5, 12)
    assert "SizeRw" not in api.client.json("/containers/json")[0]


def test_statistics_once_and_as_a_stream(api):
    assert api.client.json("/containers/web/stats?stream=0")["read"] == "False"
    assert api.client.json("/containers/web/stats?stream=0&one-shot=1")["read"] == "True"
    answer = api.client.request("GET", "/containers/web/stats")
    seconds = [msgspec.json.decode(line)["read"] for line in answer.body.splitlines()]
    assert seconds == ["1", "2"]
    refused = api.client.request("GET", "/containers/web/stats?one-shot=1")
    assert refused.message == "cannot have stream=true and one-shot=true"


def test_checkpoints_have_to_be_enabled(api):
    for method, path in (("GET", ""), ("POST", ""), ("DELETE", "/one")):
        answer = api.client.request(method, f"/containers/web/checkpoints{path}", b"{}")
        assert answer.status == 501
    assert api.client.request("DELETE", "/containers/web/other/one").message == "page not found"
    assert api.containers.asked == []
