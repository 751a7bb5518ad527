"""inspect, info, version and events."""

import json
import re

import pytest

from boxship import __version__

CONTAINER = {
    "Id": "41a8",
    "Name": "/web",
    "State": {"Status": "running", "Running": True, "Pid": 7},
    "HostConfig": {"Binds": None, "PidsLimit": None, "Memory": 5},
    "Config": {"Labels": {"b": "2", "a": "1"}, "Env": ["A=é<&>"], "Volumes": None},
    "Mounts": [{"Type": "bind", "Destination": "/x"}],
    "NetworkSettings": {"Ports": {"80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8080"}]}},
}

IMAGE = {"Id": "sha256:55", "RepoTags": ["bb:latest"]}

MISSING = (404, '{"message":"No such thing"}')

EVENT = {
    "status": "start",
    "id": "41a8",
    "from": "bb",
    "Type": "container",
    "Action": "start",
    "Actor": {"ID": "41a8", "Attributes": {"name": "web", "image": "bb"}},
    "scope": "local",
    "time": 1795221110,
    "timeNano": 1795221110970232123,
}


@pytest.fixture(autouse=True)
def answers(recorder) -> None:
    recorder.answers |= {
        "GET /containers/web/json": (200, json.dumps(CONTAINER)),
        "GET /images/bb/json": (200, json.dumps(IMAGE)),
        "GET /containers/bb/json": MISSING,
        "GET /containers/none/json": MISSING,
        "GET /images/none/json": MISSING,
        "GET /networks/none": MISSING,
        "GET /volumes/none": MISSING,
        "GET /plugins/none/json": MISSING,
        "GET /events": (200, json.dumps(EVENT) + "\n"),
        "GET /version": (200, json.dumps(VERSION)),
        "GET /info": (200, json.dumps(INFO)),
    }


def test_inspect_prints_the_daemons_own_order(ours) -> None:
    outcome = ours("inspect", "web")
    assert outcome.out == json.dumps([CONTAINER], indent=4, ensure_ascii=False) + "\n"


def test_inspect_looks_for_a_container_first_then_for_an_image(recorder, ours) -> None:
    assert json.loads(ours("inspect", "web", "bb").out) == [CONTAINER, IMAGE]
    assert [request.target for request in recorder.take()] == [
        "/v1.50/containers/web/json",
        "/v1.50/containers/bb/json",
        "/v1.50/images/bb/json",
    ]


def test_inspect_of_a_type_looks_there_only(recorder, ours) -> None:
    assert ours("inspect", "--type", "image", "bb").code == 0
    assert ours("image", "inspect", "bb").code == 0
    assert {request.target for request in recorder.take()} == {"/v1.50/images/bb/json"}
    assert ours("inspect", "--type", "foo", "bb").code == 1


def test_inspect_shows_what_it_found_and_names_what_it_did_not(ours) -> None:
    outcome = ours("inspect", "none", "web")
    assert json.loads(outcome.out) == [CONTAINER]
    assert outcome.err == "Error: No such object: none\n"
    assert outcome.code == 1
    assert ours("inspect", "none").out == "[]\n"


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{.State.Pid}} {{.Name}}", "7 /web"),
        ("{{.State}}", "{running true 7}"),
        ("{{.State.Health}}", "<nil>"),
        ("{{.Config.Labels}}{{index .Config.Labels `a`}}", "map[a:1 b:2]1"),
        ("{{.HostConfig.Binds}}{{.HostConfig.PidsLimit}}{{.Config.Volumes}}", "[]<nil>map[]"),
        ("{{json .HostConfig}}", '{"Binds":null,"PidsLimit":null,"Memory":5}'),
        ("{{json .Config.Env}}", '["A=é<&>"]'),
        ("{{range .Mounts}}{{.Destination}}{{end}}", "/x"),
        ('{{(index (index .NetworkSettings.Ports "80/tcp") 0).HostPort}}', "8080"),
        ("a\\tb", "a\tb"),
        ("json", json.dumps([CONTAINER], separators=(",", ":"), ensure_ascii=False)),
    ],
)
def test_inspect_with_a_template(template: str, text: str, ours) -> None:
    assert ours("inspect", "-f", template, "web").out == text + "\n"


def test_inspect_refuses_fields_that_are_not_there(ours) -> None:
    outcome = ours("inspect", "-f", "{{.Foo}}", "web")
    assert outcome.code == 1
    assert 'map has no entry for key "Foo"' in outcome.err


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (
            (),
            "2026-11-21T00:31:50.970232123Z container start 41a8 (image=bb, name=web)",
        ),
        (("--format", "json"), json.dumps(EVENT, separators=(",", ":"))),
        (
            ("--format", "{{.Time}} {{.TimeNano}} {{.Status}} {{.ID}} {{.From}} {{.Scope}}"),
            "1795221110 1795221110970232123 start 41a8 bb local",
        ),
        (
            ("--format", "{{.Type}} {{.Action}} {{.Actor.Attributes.name}}"),
            "container start web",
        ),
    ],
)
def test_events(arguments: tuple[str, ...], text: str, ours) -> None:
    assert ours("events", *arguments).out == text + "\n"


def test_what_events_asks_for(recorder, ours) -> None:
    ours("events", "--since", "1000", "--until", "1970-01-01T01:00:00Z", "-f", "type=container")
    assert recorder.take()[0].target == (
        "/v1.50/events?since=1000&until=3600.000000000"
        "&filters=%7B%22type%22%3A%7B%22container%22%3Atrue%7D%7D"
    )


def test_a_time_that_is_none_names_the_flag(ours) -> None:
    outcome = ours("events", "--until", "soon")
    assert (outcome.code, 'invalid value for "until"' in outcome.err) == (1, True)


VERSION = {
    "Platform": {"Name": "Boxship"},
    "Components": [
        {
            "Name": "Engine",
            "Version": "9.9",
            "Details": {
                "ApiVersion": "1.56",
                "MinAPIVersion": "1.24",
                "Os": "linux",
                "Arch": "amd64",
                "BuildTime": "2026-05-07T21:09:36.000000000+00:00",
                "Experimental": "false",
            },
        },
        {"Name": "runc", "Version": "1.1", "Details": {"GitCommit": "abc"}},
    ],
    "Version": "9.9",
    "ApiVersion": "1.56",
    "Os": "linux",
}


def test_the_version_for_people(ours) -> None:
    outcome = ours("version")
    client, _, server = outcome.out.partition("\n\n")
    assert client.splitlines()[:3] == [
        "Client:",
        f" Version:           {__version__}",
        " API version:       1.50 (downgraded from 1.56)",
    ]
    assert server == (
        "Server: Boxship\n"
        " Engine:\n"
        "  Version:          9.9\n"
        "  API version:      1.56 (minimum version 1.24)\n"
        "  Built:            Thu May  7 21:09:36 2026\n"
        "  OS/Arch:          linux/amd64\n"
        "  Experimental:     false\n"
        " runc:\n"
        "  Version:          1.1\n"
        "  GitCommit:        abc\n"
    )


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{.Server.Version}} {{.Client.Version}}", f"9.9 {__version__}"),
        ("{{.Client.APIVersion}} {{.Server.APIVersion}} {{.ServerOK}}", "1.50 1.56 true"),
        ("{{(index .Server.Components 1).Name}}", "runc"),
    ],
)
def test_the_version_by_template(template: str, text: str, ours) -> None:
    assert ours("version", "--format", template).out == text + "\n"


def test_the_version_as_json(ours) -> None:
    document = json.loads(ours("version", "--format", "json").out)
    assert document["Server"] == VERSION
    assert document["Client"]["ApiVersion"] == "1.50"


def test_the_clients_version_is_shown_without_a_daemon(ours, tmp_path) -> None:
    outcome = ours("-H", f"unix://{tmp_path}/none", "version")
    assert outcome.code == 1  # only one -H
    lonely = type(ours)(ours.command, f"unix://{tmp_path}/none", tmp_path)
    outcome = lonely("version")
    assert outcome.code == 1
    assert f"Version:           {__version__}" in outcome.out
    assert "Is the daemon running?" in outcome.err


INFO = {
    "Containers": 3,
    "ContainersRunning": 1,
    "ContainersPaused": 0,
    "ContainersStopped": 2,
    "Images": 4,
    "ServerVersion": "9.9",
    "Driver": "overlay2",
    "DriverStatus": [["Backing Filesystem", "extfs"]],
    "LoggingDriver": "json-file",
    "CgroupDriver": "cgroupfs",
    "CgroupVersion": "1",
    "Plugins": {"Volume": ["local"], "Network": ["host", "null"], "Log": ["json-file"]},
    "Swarm": {"LocalNodeState": "inactive"},
    "Runtimes": {"runc": {}, "boxship": {}},
    "DefaultRuntime": "boxship",
    "SecurityOptions": ["name=seccomp,profile=default", "name=cgroupns"],
    "KernelVersion": "6.18",
    "NCPU": 2,
    "MemTotal": 25276063744,
    "Name": "vm",
    "Debug": False,
    "Labels": ["a=b"],
    "RegistryConfig": {
        "IndexConfigs": {"docker.io": {"Secure": True}, "local:5000": {"Secure": False}},
        "InsecureRegistryCIDRs": ["127.0.0.0/8"],
        "Mirrors": ["https://mirror/"],
    },
    "LiveRestoreEnabled": True,
    "Warnings": ["WARNING: No swap limit support"],
}


def test_info_for_people(ours) -> None:
    outcome = ours("info")
    _, _, server = outcome.out.partition("\n\nServer:\n")
    assert server == (
        " Containers: 3\n  Running: 1\n  Paused: 0\n  Stopped: 2\n Images: 4\n"
        " Server Version: 9.9\n Storage Driver: overlay2\n  Backing Filesystem: extfs\n"
        " Logging Driver: json-file\n Cgroup Driver: cgroupfs\n Cgroup Version: 1\n"
        " Plugins:\n  Volume: local\n  Network: host null\n  Log: json-file\n"
        " Swarm: inactive\n Runtimes: boxship runc\n Default Runtime: boxship\n"
        " Security Options:\n  seccomp\n   Profile: default\n  cgroupns\n"
        " Kernel Version: 6.18\n CPUs: 2\n Total Memory: 23.54GiB\n Name: vm\n"
        " Debug Mode: false\n Labels:\n  a=b\n Experimental: false\n"
        " Insecure Registries:\n  local:5000\n  127.0.0.0/8\n"
        " Registry Mirrors:\n  https://mirror/\n Live Restore Enabled: true\n\n"
    )
    assert outcome.err == "WARNING: No swap limit support\n"


def test_info_by_template(ours) -> None:
    assert ours("info", "-f", "{{.NCPU}} {{.ClientInfo.Version}}").out == f"2 {__version__}\n"
    assert re.match(r'\{"Containers":3,', ours("info", "-f", "json").out)
