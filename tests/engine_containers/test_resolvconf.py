"""resolv.conf by network, against what Docker writes."""

import pytest

from boxship.engine.containers.identity import resolver_file
from boxship.engine.containers.resolvconf import Reach, Wanted, made
from boxship.engine.settings import EngineSettings
from boxship.model.container import HostConfig
from engine_containers.test_views import record

HOST = "# comment\ndomain old\nnameserver 127.0.0.53\nnameserver 1.1.1.1\nnameserver fd00::1\n\n"
NOTHING = Wanted()


def _lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if not line.startswith("#")]


def test_the_hosts_network_has_the_hosts_file() -> None:
    file = made(HOST + "sortlist 10.0.0.0\n", NOTHING, Reach.HOST)

    assert _lines(file.text) == [
        "nameserver 127.0.0.53",
        "nameserver 1.1.1.1",
        "nameserver fd00::1",
        "search old",
        "sortlist 10.0.0.0",
    ]


def test_what_is_asked_for_replaces_its_kind() -> None:
    wanted = Wanted(("9.9.9.9", "8.8.8.8"), ("a.b", "c"), ("rotate",))

    assert _lines(made(HOST + "options ndots:5\n", wanted, Reach.HOST).text) == [
        "nameserver 9.9.9.9",
        "nameserver 8.8.8.8",
        "search a.b c",
        "options rotate",
    ]
    assert "search" not in made(HOST, Wanted(search=(".",)), Reach.HOST).text


@pytest.mark.parametrize(
    ("host", "ipv6", "servers"),
    [
        (HOST, False, ["1.1.1.1"]),
        (HOST, True, ["1.1.1.1", "fd00::1"]),
        ("nameserver 127.0.0.1\nnameserver ::1\n", False, ["8.8.8.8", "8.8.4.4"]),
        (
            "nameserver ::1\n",
            True,
            ["8.8.8.8", "8.8.4.4", "2001:4860:4860::8888", "2001:4860:4860::8844"],
        ),
        ("", False, ["8.8.8.8", "8.8.4.4"]),
        ("nameserver\nnameserver fe80::1%eth0\nnameserver 1.1.1.1 x\n", False, ["1.1.1.1"]),
    ],
)
def test_a_bridge_gets_servers_it_can_reach(host: str, ipv6: bool, servers: list[str]) -> None:
    file = made(host, NOTHING, Reach.DIRECT, ipv6=ipv6)

    assert [line.split()[1] for line in _lines(file.text) if "nameserver" in line] == servers


def test_a_loopback_server_that_was_asked_for_stays() -> None:
    assert _lines(made(HOST, Wanted(("127.0.0.1",)), Reach.DIRECT).text) == [
        "nameserver 127.0.0.1",
        "search old",
    ]


def test_user_defined_networks_have_the_resolver() -> None:
    file = made(HOST + "options edns0\noptions trust-ad\n", NOTHING, Reach.EMBEDDED)

    assert _lines(file.text) == [
        "nameserver 127.0.0.11",
        "search old",
        "options edns0 trust-ad ndots:0",
    ]
    assert file.servers == ("127.0.0.53", "1.1.1.1", "fd00::1")
    assert "# ExtServers: [127.0.0.53 1.1.1.1 fd00::1]" in file.text
    assert file.forwards_single_labels


def test_the_resolver_does_not_ask_itself() -> None:
    """As on a machine that is itself a container of a user-defined network."""
    assert made("nameserver 127.0.0.11\n", NOTHING, Reach.EMBEDDED).servers == ()


@pytest.mark.parametrize(("option", "forwards"), [("ndots:2", False), ("ndots:0", True)])
def test_ndots_of_the_users_own(option: str, forwards: bool) -> None:
    file = made(HOST, Wanted(options=(option,)), Reach.EMBEDDED)

    assert f"options {option}" in _lines(file.text)
    assert file.forwards_single_labels is forwards


def test_the_containers_wish_goes_before_the_daemons() -> None:
    settings = EngineSettings(dns=("4.4.4.4",), dns_search=("daemon.example",))
    mine = record(1, host=HostConfig(network_mode="host", dns=("9.9.9.9",)))

    lines = _lines(resolver_file(mine, settings).text)

    assert lines[:2] == ["nameserver 9.9.9.9", "search daemon.example"]
