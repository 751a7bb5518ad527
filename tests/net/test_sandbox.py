"""Sandboxes on a bridge, as containers get them."""

import errno
import json
import os
import socket
import subprocess
from ipaddress import ip_address, ip_interface, ip_network

import pytest

from boxship.net.namespaces import NetworkNamespace, run_inside
from boxship.net.netlink.sockets import NetlinkError
from boxship.net.sandbox import Nic, Route, Sandbox

pytestmark = pytest.mark.privileged

GATEWAY = ip_address("10.5.0.1")
GATEWAY_6 = ip_address("fd05::1")
FIRST_TRY = 0.8
"""Seconds; a packet that waits for a repeated ARP request takes more than one."""


def nic(number: int, **fields) -> Nic:
    addresses = (ip_interface(f"10.5.0.{number}/16"), ip_interface(f"fd05::{number}/64"))
    return Nic(
        **{"attach_to": "br0", "addresses": addresses, "mac": f"02:42:0a:05:00:{number:02x}"}
        | fields
    )


def ip(sandbox: Sandbox, *arguments: str):
    enter = ["nsenter", f"--net={sandbox.namespace.path}", "--", "ip", "-j", "-d", *arguments]
    return json.loads(subprocess.run(enter, check=True, stdout=subprocess.PIPE).stdout or b"[]")


def reaches(sender: NetworkNamespace, receiver: NetworkNamespace, address: str) -> bool:
    """Tell whether a datagram from one namespace arrives in the other at the first try."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET

    def make() -> socket.socket:
        return socket.socket(family, socket.SOCK_DGRAM)

    with run_inside(receiver, make) as server, run_inside(sender, make) as client:
        server.bind((address, 0))
        server.settimeout(FIRST_TRY)
        try:
            client.sendto(b"hello", server.getsockname()[:2])
            return server.recv(16) == b"hello"
        except (TimeoutError, OSError):
            return False


def reads(sandbox: Sandbox, path: str) -> str:
    def read() -> str:
        with open(path) as file:
            return file.read().strip()

    return run_inside(sandbox.namespace, read)


@pytest.mark.parametrize("pair", [True, False], ids=["from the pool", "on the spot"])
def test_packets_go_both_ways_from_the_first(place, host, pair: bool) -> None:
    with Sandbox.make(host, pair=pair) as sandbox:
        plugged = sandbox.add(nic(2))
        assert reaches(sandbox.namespace, place.namespace, "10.5.0.1")
        assert reaches(sandbox.namespace, place.namespace, "fd05::1")
        assert reaches(place.namespace, sandbox.namespace, "10.5.0.2")
        assert reaches(place.namespace, sandbox.namespace, "fd05::2")
        (port,) = place.ip("link", "show", plugged.host_name)
        assert port["ifindex"] == plugged.host_index
        assert port["master"] == "br0"
        assert port["ifalias"] == "boxship"
        assert port["linkinfo"]["info_slave_data"]["hairpin"] is True
        assert port["linkinfo"]["info_slave_data"]["isolated"] is False
        (inner,) = ip(sandbox, "link", "show", "eth0")
        assert inner["address"] == plugged.mac == "02:42:0a:05:00:02"


def test_two_sandboxes_reach_each_other_from_the_first(host) -> None:
    with Sandbox.make(host) as one, Sandbox.make(host) as two:
        one.add(nic(2))
        two.add(nic(3))
        for address in ("10.5.0.3", "fd05::3"):
            assert reaches(one.namespace, two.namespace, address)


def test_isolated_ports_do_not_reach_each_other_but_the_bridge(place, host) -> None:
    with Sandbox.make(host) as one, Sandbox.make(host) as two:
        one.add(nic(2, isolated=True))
        two.add(nic(3, isolated=True))
        assert not reaches(one.namespace, two.namespace, "10.5.0.3")
        assert reaches(one.namespace, place.namespace, "10.5.0.1")


def test_without_an_ipv6_address_there_is_no_ipv6(host) -> None:
    for pair in (True, False):
        with Sandbox.make(host, pair=pair) as sandbox:
            sandbox.add(nic(2, addresses=(ip_interface("10.5.0.2/16"),)))
            assert reads(sandbox, "/proc/sys/net/ipv6/conf/eth0/disable_ipv6") == "1"
            assert reads(sandbox, "/proc/sys/net/ipv6/conf/default/disable_ipv6") == "0"
            assert reads(sandbox, "/proc/sys/net/ipv6/conf/lo/disable_ipv6") == "0"
            (seen,) = ip(sandbox, "addr", "show", "eth0")
            assert [one["local"] for one in seen["addr_info"]] == ["10.5.0.2"]


def test_an_ipv6_address_is_no_candidate_and_routers_are_not_listened_to(host) -> None:
    for pair in (True, False):
        with Sandbox.make(host, pair=pair) as sandbox:
            sandbox.add(nic(2))
            (seen,) = ip(sandbox, "addr", "show", "eth0", "scope", "global")
            assert [one for one in seen["addr_info"] if one.get("tentative")] == []
            assert {one.get("local") for one in seen["addr_info"]} >= {"10.5.0.2", "fd05::2"}
            assert reads(sandbox, "/proc/sys/net/ipv6/conf/eth0/accept_ra") == "0"


def test_the_host_speaks_no_ipv6_at_ports_of_its_bridge(place, host) -> None:
    with Sandbox.make(host, pair=True) as sandbox:
        name = sandbox.add(nic(2)).host_name
        assert place.ip("-6", "route", "show", "table", "all", "dev", name) == []
        (seen,) = place.ip("addr", "show", name)
        assert seen["addr_info"] == []


def test_names_and_sizes_are_those_that_were_asked_for(place, host) -> None:
    for pair in (True, False):
        with Sandbox.make(host, pair=pair) as sandbox:
            wish = nic(2, name="net.7", host_name="outer", mtu=1280, mac="", hairpin=False)
            plugged = sandbox.add(wish)
            (inner,) = ip(sandbox, "link", "show", "net.7")
            (outer,) = place.ip("link", "show", "outer")
            assert (inner["mtu"], outer["mtu"]) == (1280, 1280)
            assert plugged.name == "net.7"
            assert plugged.mac == inner["address"]
            assert plugged.host_name == "outer"
            assert outer["linkinfo"]["info_slave_data"]["hairpin"] is False
            host.links.remove("outer")


def test_parameters_of_the_interface(host) -> None:
    asked = (
        ("net.ipv4.conf.IFNAME.rp_filter", "2"),
        ("net.ipv6.conf.IFNAME.accept_ra", "2"),
        ("net.ipv4.neigh.IFNAME.gc_stale_time", "33"),
    )
    with Sandbox.make(host, pair=True) as sandbox:
        sandbox.add(nic(2, name="eth.5", sysctls=asked))
        assert reads(sandbox, "/proc/sys/net/ipv4/conf/eth.5/rp_filter") == "2"
        assert reads(sandbox, "/proc/sys/net/ipv6/conf/eth.5/accept_ra") == "2"
        assert reads(sandbox, "/proc/sys/net/ipv4/neigh/eth.5/gc_stale_time") == "33"


def test_routes_replace_default_routes(host) -> None:
    with Sandbox.make(host, pair=True) as sandbox:
        sandbox.add(nic(2))
        everywhere, everywhere_6 = ip_network("0.0.0.0/0"), ip_network("::/0")
        beyond = Route(ip_network("192.0.2.0/24"), ip_address("198.51.100.1"))
        sandbox.set_routes(
            [
                beyond,
                Route(ip_network("198.51.100.0/24")),
                Route(everywhere, GATEWAY),
                Route(everywhere_6, GATEWAY_6),
            ]
        )
        rows = {row["dst"]: row.get("gateway") for row in ip(sandbox, "route")}
        assert rows == {
            "default": "10.5.0.1",
            "10.5.0.0/16": None,
            "198.51.100.0/24": None,
            "192.0.2.0/24": "198.51.100.1",
        }
        assert [row["gateway"] for row in ip(sandbox, "-6", "route", "show", "default")] == [
            "fd05::1"
        ]
        sandbox.set_routes([Route(everywhere, ip_address("10.5.0.9"))])
        assert [row["gateway"] for row in ip(sandbox, "route", "show", "default")] == ["10.5.0.9"]
        assert ip(sandbox, "-6", "route", "show", "default") == []
        sandbox.set_routes([])
        assert ip(sandbox, "route", "show", "default") == []


def test_several_interfaces_come_and_go(place, host) -> None:
    host.links.add_bridge("br1")
    with Sandbox.make(host, pair=True) as sandbox:
        sandbox.add(nic(2))
        second = Nic("br1", name="eth1", addresses=(ip_interface("10.6.0.2/24"),))
        plugged = sandbox.add(second)
        assert set(sandbox.counters()) == {"eth0", "eth1"}
        sandbox.remove("eth1")
        sandbox.remove("eth1")
        assert set(sandbox.counters()) == {"eth0"}
        assert place.links.find(plugged.host_name) is None
        sandbox.add(second)
        assert set(sandbox.counters()) == {"eth0", "eth1"}


@pytest.mark.parametrize("pair", [True, False], ids=["from the pool", "on the spot"])
@pytest.mark.parametrize(
    ("wrong", "number", "words"),
    [
        ({"attach_to": "absent"}, errno.ENODEV, "absent"),
        ({"mtu": 10}, errno.EINVAL, "eth0|veth"),
        ({"addresses": (ip_interface("ff02::9/64"),)}, None, "add address ff02::9/64"),
        ({"sysctls": (("net.ipv4.conf.IFNAME.absent", "1"),)}, errno.ENOENT, "IFNAME.absent"),
        ({"sysctls": (("net.ipv4.conf.IFNAME.rp_filter", "x"),)}, errno.EINVAL, "rp_filter"),
        ({"host_name": "br0"}, errno.EEXIST, "br0|attach|veth"),
    ],
    ids=["bridge", "mtu", "address", "no parameter", "no value", "taken"],
)
def test_what_fails_leaves_nothing(
    place, host, *, pair: bool, wrong: dict[str, object], number: int | None, words: str
) -> None:
    fields = {"attach_to": "br0", "addresses": (ip_interface("10.5.0.2/16"),)} | wrong
    with Sandbox.make(host, pair=pair) as sandbox:
        with pytest.raises(OSError, match=words) as caught:
            sandbox.add(Nic(**fields))
        if number is not None:
            assert caught.value.errno == number
        assert [link.name for link in place.links.all()] == ["lo", "br0"]
        assert sandbox.counters() == {}
        # And the sandbox is as good as before.
        sandbox.add(nic(2))
        assert reaches(sandbox.namespace, place.namespace, "10.5.0.1")


def test_neighbours_learn_of_another_hardware_address(place, host) -> None:
    with Sandbox.make(host) as old, Sandbox.make(host) as client, Sandbox.make(host) as new:
        client.add(nic(9))
        old.add(nic(2))
        for address in ("10.5.0.2", "fd05::2"):
            assert reaches(client.namespace, old.namespace, address)
            assert reaches(place.namespace, old.namespace, address)
        old.remove("eth0")
        new.add(nic(2, mac="02:42:99:99:99:99"))
        for address in ("10.5.0.2", "fd05::2"):
            assert reaches(client.namespace, new.namespace, address)
            assert reaches(place.namespace, new.namespace, address)


def test_a_successor_with_the_same_address_is_reached_while_the_former_port_is_there(
    place, host
) -> None:
    with Sandbox.make(host) as old, Sandbox.make(host) as client, Sandbox.make(host) as new:
        # With IPv4 alone an interface says nothing of its own accord that the bridge could learn.
        wish = nic(2, addresses=(ip_interface("10.5.0.2/16"),))
        client.add(nic(9))
        old.add(wish)
        assert reaches(old.namespace, place.namespace, "10.5.0.1")
        assert reaches(client.namespace, old.namespace, "10.5.0.2")
        new.add(wish)
        assert reaches(place.namespace, new.namespace, "10.5.0.2")
        assert reaches(client.namespace, new.namespace, "10.5.0.2")


def test_counters_count(place, host) -> None:
    with Sandbox.make(host, pair=True) as sandbox:
        plugged = sandbox.add(nic(2))
        before = sandbox.counters()["eth0"]
        assert reaches(sandbox.namespace, place.namespace, "10.5.0.1")
        after = sandbox.counters()["eth0"]
        assert after.tx_bytes - before.tx_bytes >= len(b"hello") + 28
        outer = host.links.counters()[plugged.host_name].reversed()
        assert outer.tx_bytes >= after.tx_bytes


def test_a_running_process_gets_and_loses_an_interface(place, host) -> None:
    command = ["unshare", "--net", "sh", "-c", "echo ready; read line"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        with Sandbox.of_process(process.pid, host) as sandbox:
            sandbox.add(nic(2, name="eth3"))
            sandbox.set_routes([Route(ip_network("0.0.0.0/0"), GATEWAY, "eth3")])
            shown = subprocess.run(
                ["nsenter", "-n", "-t", str(process.pid), "ip", "-br", "route"],
                check=True, stdout=subprocess.PIPE, text=True,
            ).stdout  # fmt: skip
            assert "default via 10.5.0.1 dev eth3" in shown
            sandbox.remove("eth3")
            assert sandbox.counters() == {}
        process.communicate(b"\n")
    assert [link.name for link in place.links.all()] == ["lo", "br0"]


def test_of_no_process() -> None:
    with pytest.raises(FileNotFoundError):
        Sandbox.of_process(1 << 22)


def test_without_a_host_given_it_has_its_own(place) -> None:
    place.links.add_bridge("br0")

    def whole() -> str:
        with Sandbox.make() as sandbox:
            return sandbox.add(Nic("br0")).host_name

    assert run_inside(place.namespace, whole).startswith("veth")


def test_a_sandbox_that_is_let_go_takes_its_interfaces_along(place, host) -> None:
    from boxship.net.netlink.sockets import ROUTE, NetlinkSocket

    with run_inside(place.namespace, lambda: NetlinkSocket(ROUTE, groups=[1])) as monitor:
        sandbox = Sandbox.make(host, pair=True)
        name = sandbox.add(nic(2)).host_name
        before = len(os.listdir("/proc/self/fd"))
        sandbox.close()
        sandbox.close()
        assert len(os.listdir("/proc/self/fd")) == before - 2
        while place.links.find(name) is not None:
            monitor.receive()


def test_kinds_are_named(host) -> None:
    with Sandbox.make(host) as sandbox, pytest.raises(ValueError, match="'token' is not a kind"):
        sandbox.add(nic(2, kind="token"))
    with Sandbox.make(host) as sandbox, pytest.raises(NetlinkError, match="No such device"):
        sandbox.add(nic(2, kind="macvlan", attach_to="absent"))
