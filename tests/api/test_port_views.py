"""Ports in the list and in ``inspect``."""

import json

import msgspec

from boxship.api.views.ports import port_map, port_rows
from boxship.engine.containers.record import ContainerRecord, ContainerState, Status
from boxship.engine.networks.endpoint import EndpointRecord
from boxship.model.container import ContainerConfig, HostConfig
from boxship.model.ports import PublishedPort

ENDPOINT = EndpointRecord("n" * 64, "bridge", endpoint_id="e", ipv4="172.17.0.2/16")


def container(
    *ports: PublishedPort, ipv6: str = "", exposed: tuple[str, ...] = (), running: bool = True
) -> ContainerRecord:
    return ContainerRecord(
        "a" * 64, "web", 0, "", "sleep", (),
        ContainerConfig(exposed_ports={key: {} for key in exposed}),
        HostConfig(),
        ContainerState(Status.RUNNING if running else Status.EXITED),
        endpoints=(msgspec.structs.replace(ENDPOINT, ipv6=ipv6),) if running else (),
        ports=ports,
    )  # fmt: skip


def shown(value: object) -> object:
    return json.loads(msgspec.json.encode(value))


WEB = PublishedPort("tcp", 80, 81, 8080, 8081)


def test_ends_of_both_families_where_the_container_has_both() -> None:
    assert shown(port_map(container(WEB))) == {
        "80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8080"}],
        "81/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8081"}],
    }
    both = port_map(container(WEB, ipv6="fd00::2/64"))
    assert shown(both["80/tcp"]) == [
        {"HostIp": "0.0.0.0", "HostPort": "8080"}, {"HostIp": "::", "HostPort": "8080"},
    ]  # fmt: skip


def test_an_address_of_its_own() -> None:
    port = PublishedPort("udp", 53, 53, 5353, 5353, "127.0.0.1")
    record = container(port, ipv6="fd00::2/64")
    assert shown(port_map(record)) == {"53/udp": [{"HostIp": "127.0.0.1", "HostPort": "5353"}]}
    assert shown(port_rows(record)) == [
        {"IP": "127.0.0.1", "PrivatePort": 53, "PublicPort": 5353, "Type": "udp"}
    ]


def test_what_is_exposed_alone_has_no_end() -> None:
    record = container(WEB, exposed=("79-81/tcp", "80/udp"))
    assert shown(port_map(record)) == {
        "79/tcp": None, "80/udp": None,
        "80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8080"}],
        "81/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8081"}],
    }  # fmt: skip
    assert {"PrivatePort": 79, "Type": "tcp"} in list(shown(port_rows(record)))  # type: ignore[call-overload]


def test_a_stopped_one_has_no_ports() -> None:
    record = container(exposed=("80/tcp",), running=False)
    assert (port_map(record), port_rows(record)) == ({}, ())


def test_who_may_use_a_port_is_shown() -> None:
    port = PublishedPort("tcp", 80, 80, 8080, 8080, sources=("10.0.0.0/8",))
    assert shown(port_rows(container(port))) == [
        {"IP": "0.0.0.0", "PrivatePort": 80, "PublicPort": 8080, "Type": "tcp",
         "Sources": ["10.0.0.0/8"]}
    ]  # fmt: skip
