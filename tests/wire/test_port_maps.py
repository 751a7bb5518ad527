"""Ports one by one, as clients send them, to intervals and back."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boxship.base.errors import InvalidArgumentError
from boxship.model.container import ContainerConfig, HostConfig, PortBinding
from boxship.model.portmaps import unfolded_config, unfolded_host
from boxship.wire.containers import CreateBody
from boxship.wire.decoding import decode_body


def decoded(bindings: object) -> HostConfig:
    body = json.dumps({"HostConfig": {"PortBindings": bindings}}).encode()
    return decode_body(body, CreateBody).host_config or HostConfig()


def end(port: str, address: str = "", *sources: str) -> dict[str, object]:
    more = {"Sources": list(sources)} if sources else {}
    return {"HostIp": address, "HostPort": port, **more}


def test_ten_thousand_ports_are_one_entry() -> None:
    ports = range(20000, 30001)
    host = decoded({f"{port}/tcp": [end(str(port))] for port in ports})
    assert host.port_bindings == {"20000-30000/tcp": (PortBinding(host_port="20000-30000"),)}
    back = unfolded_host(host).port_bindings or {}
    assert len(back) == len(ports)
    assert back["29999/tcp"] == (PortBinding(host_port="29999"),)


@pytest.mark.parametrize(("sent", "folded"), [
    ({"80/tcp": [end("80")], "81/udp": [end("81")]}, ["80/tcp", "81/udp"]),
    ({"80/tcp": [end("80")], "81/tcp": [end("90")]}, ["80/tcp", "81/tcp"]),
    ({"80/tcp": [end("")], "81/tcp": [end("")]}, ["80-81/tcp"]),
    ({"80/tcp": [end("80", "::1")], "81/tcp": [end("81")]}, ["80/tcp", "81/tcp"]),
    ({"80/tcp": [end("80", "", "10.0.0.0/8")], "81/tcp": [end("81")]}, ["80/tcp", "81/tcp"]),
    ({"9/tcp": [end("9")], "11/tcp": [end("11")], "10/tcp": [end("10")]}, ["9-11/tcp"]),
    ({"80/tcp": [end("1"), end("7", "::1")], "81/tcp": [end("2"), end("8", "::1")]}, ["80-81/tcp"]),
    ({"80/tcp": [end("80-81")], "81/tcp": [end("81-82")]}, ["80/tcp", "81/tcp"]),
    ({"80": [end("80")], "81": [end("81")]}, ["80", "81"]),
    ({"80/tcp": None, "81/tcp": []}, ["80/tcp", "81/tcp"]),
])  # fmt: skip
def test_what_is_folded(sent: dict[str, object], folded: list[str]) -> None:
    assert sorted(decoded(sent).port_bindings or ()) == sorted(folded)


def test_an_interval_from_a_client_is_refused_as_docker_does() -> None:
    with pytest.raises(InvalidArgumentError, match='invalid port specification: "80-81"'):
        decoded({"80-81/tcp": [end("80-81")]})


def test_sources_go_through() -> None:
    host = decoded(
        {"80/tcp": [end("80", "", "10.0.0.0/8")], "81/tcp": [end("81", "", "10.0.0.0/8")]}
    )
    assert host.port_bindings == {
        "80-81/tcp": (PortBinding(host_port="80-81", sources=("10.0.0.0/8",)),)
    }


def test_members_are_found_whatever_their_case() -> None:
    assert decoded({"80/tcp": [{"hostport": "8080", "HOSTIP": "::1"}]}).port_bindings == {
        "80/tcp": (PortBinding("::1", "8080"),)
    }


_PORTS = st.one_of(st.integers(1, 12), st.integers(65530, 65535)).map(str)
_KEYS = st.tuples(_PORTS, st.sampled_from(["/tcp", "/udp", ""])).map("".join)
_ENDS = st.builds(
    end, st.one_of(_PORTS, st.just(""), st.just("8000-8010")), st.sampled_from(["", "::1"])
)


@given(st.dictionaries(_KEYS, st.lists(_ENDS, max_size=2)))
def test_nothing_is_lost_or_added(sent: dict[str, list[dict[str, str]]]) -> None:
    back = unfolded_host(decoded(sent)).port_bindings or {}
    assert {
        key: [(one.host_ip, one.host_port) for one in ends or ()] for key, ends in back.items()
    } == {key: [(one["HostIp"], one["HostPort"]) for one in ends] for key, ends in sent.items()}


@given(st.dictionaries(_KEYS, st.just({})))
def test_exposed_ports_come_back(sent: dict[str, dict[str, str]]) -> None:
    body = decode_body(json.dumps({"ExposedPorts": sent}).encode(), CreateBody)
    config = ContainerConfig(exposed_ports=body.exposed_ports)
    assert unfolded_config(config).exposed_ports == sent
