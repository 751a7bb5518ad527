"""Interfaces of networks on the real kernel, in a network namespace of the test's own."""

import subprocess
from collections.abc import Callable, Iterator
from ipaddress import ip_interface
from pathlib import Path
from typing import TypeVar

import pytest

from boxship.base.errors import InvalidArgumentError, UnavailableError
from boxship.engine.networks.fabric import HostView, KernelFabric
from boxship.engine.networks.interfaces import InterfacePlan, Kind
from boxship.net.namespaces import NetworkNamespace, run_inside

pytestmark = pytest.mark.privileged

T = TypeVar("T")
WEB = InterfacePlan(
    Kind.BRIDGE, "br-web", mac="02:42:0a:09:00:01", addresses=(ip_interface("10.9.0.1/24"),)
)


class Host:
    """A network namespace, and the fabric in it."""

    def __init__(self, namespace: NetworkNamespace, home: Path) -> None:
        self.namespace = namespace
        self.marker = home / "forwarding"
        self.fabric = KernelFabric(str(home), str(self.marker))
        self.stranger = KernelFabric(str(home / "other"), str(self.marker))

    def do(self, function: Callable[[], T]) -> T:
        return run_inside(self.namespace, function)

    def make(self, plan: InterfacePlan) -> None:
        self.do(lambda: self.fabric.make(plan))

    def look(self, *beside: str) -> HostView:
        return self.do(lambda: self.fabric.look(beside=beside))

    def ip(self, *words: str) -> str:
        command = ["nsenter", f"--net={self.namespace.path}", "ip", *words]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def sysctl(self, name: str, value: str = "") -> str:
        def access() -> str:
            path = Path("/proc/sys/net", name)
            if value:
                path.write_text(value)
            return path.read_text().strip()

        return self.do(access)


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    with NetworkNamespace.make() as namespace:
        host = Host(namespace, tmp_path)
        host.ip("link", "set", "lo", "up")
        yield host
        host.fabric.close()
        host.stranger.close()


def test_a_bridge_is_made_up_with_its_address_and_ours(host):
    host.make(WEB)
    view = host.look()
    assert view.kinds["br-web"] == "bridge"
    assert view.ours == {"br-web"}
    assert view.addresses["br-web"] == WEB.addresses
    shown = host.ip("link", "show", "br-web")
    assert "02:42:0a:09:00:01" in shown
    assert ",UP" in shown
    assert "inet6" not in host.ip("address", "show", "br-web")


def test_making_it_again_changes_nothing(host):
    host.make(WEB)
    before = host.ip("address", "show", "br-web")
    host.make(WEB)
    assert host.ip("address", "show", "br-web") == before


def test_what_is_out_of_order_is_put_right(host):
    host.make(WEB)
    host.ip("link", "set", "br-web", "down")
    host.ip("address", "flush", "dev", "br-web")
    host.ip("address", "add", "10.1.0.1/24", "dev", "br-web")
    host.make(InterfacePlan(Kind.BRIDGE, "br-web", mtu=1400, addresses=WEB.addresses))
    assert host.look().addresses["br-web"] == WEB.addresses
    shown = host.ip("link", "show", "br-web")
    assert ",UP" in shown
    assert "mtu 1400" in shown


def test_ipv6_is_usable_at_once_and_hears_of_no_other_routers(host):
    addresses = (*WEB.addresses, ip_interface("fd00:9::1/64"))
    host.make(InterfacePlan(Kind.BRIDGE, "br-web", addresses=addresses, ipv6=True))
    # The link-local one is the kernel's own business, and some worker's of it.
    shown = host.ip("-6", "address", "show", "br-web", "scope", "global")
    assert "fd00:9::1/64" in shown
    assert "tentative" not in shown
    assert host.sysctl("ipv6/conf/br-web/accept_ra") == "0"


def test_somebody_elses_bridge_keeps_what_it_has(host):
    host.ip("link", "add", "br0", "type", "bridge")
    host.ip("address", "add", "10.1.0.1/24", "dev", "br0")
    host.make(InterfacePlan(Kind.BRIDGE, "br0", ours=False, addresses=WEB.addresses))
    view = host.look()
    assert {str(a) for a in view.addresses["br0"]} >= {"10.1.0.1/24", "10.9.0.1/24"}
    assert view.ours == frozenset()


def test_what_is_to_be_somebody_elses_is_not_made(host):
    with pytest.raises(InvalidArgumentError, match="there is no bridge br0 on this host"):
        host.make(InterfacePlan(Kind.BRIDGE, "br0", ours=False))
    with pytest.raises(InvalidArgumentError, match="existing interface lo is not a bridge"):
        host.make(InterfacePlan(Kind.BRIDGE, "lo"))


def test_a_refusal_of_the_kernel_says_what_was_wanted(host):
    with pytest.raises(UnavailableError, match=r"cannot make vlan nope0\.10: .*nope0"):
        host.make(InterfacePlan(Kind.VLAN, "nope0.10", parent="nope0", tag=10))


def test_a_parent_that_leads_nowhere(host):
    host.make(InterfacePlan(Kind.DUMMY, "dm-web"))
    assert host.look().ours == {"dm-web"}
    assert ",UP" in host.ip("link", "show", "dm-web")


def test_only_our_own_leftovers_are_swept(host):
    host.make(WEB)
    host.make(InterfacePlan(Kind.BRIDGE, "br-old"))
    host.ip("link", "add", "br-0123456789ab", "type", "bridge")  # as dockerd's
    host.do(lambda: host.stranger.make(InterfacePlan(Kind.BRIDGE, "br-other")))
    assert host.do(lambda: host.fabric.sweep(["br-web"])) == ["br-old"]
    assert set(host.look().kinds) == {"lo", "br-web", "br-0123456789ab", "br-other"}


def test_removal(host):
    host.make(WEB)
    for _ in range(2):
        host.do(lambda: host.fabric.remove("br-web"))
    assert set(host.look().kinds) == {"lo"}


def test_routes_are_taken_but_not_those_of_our_own_networks(host):
    host.make(WEB)
    host.ip("link", "add", "br0", "type", "bridge")
    host.ip("address", "add", "10.1.2.3/16", "dev", "br0")
    host.ip("link", "set", "br0", "up")
    host.ip("route", "add", "10.200.0.0/16", "via", "10.1.0.1")
    host.ip("route", "add", "default", "via", "10.1.0.1")
    taken = {str(each) for each in host.look("br-web").taken if "route" in each.by}
    assert taken == {
        "10.1.0.0/16 of the host's route through br0",
        "10.200.0.0/16 of the host's route through br0",
    }
    assert any("br-web" in each.by for each in host.look().taken)


def test_forwarding_is_switched_on_and_remembered(host):
    host.sysctl("ipv4/ip_forward", "0")  # a new namespace has the machine's
    host.sysctl("ipv6/conf/all/forwarding", "0")
    host.sysctl("ipv6/conf/lo/accept_ra", "1")
    assert host.do(lambda: host.fabric.forward(ipv4=True, ipv6=False)) == (4,)
    assert host.sysctl("ipv4/ip_forward") == "1"
    assert host.do(lambda: host.fabric.forward(ipv4=True, ipv6=True)) == (4, 6)
    assert host.sysctl("ipv6/conf/all/forwarding") == "1"
    assert host.sysctl("ipv6/conf/lo/accept_ra") == "2"  # still takes its router's word
    assert host.do(lambda: host.fabric.forward(ipv4=True, ipv6=False)) == (4, 6)


def test_forwarding_that_was_on_is_somebody_elses(host):
    host.sysctl("ipv4/ip_forward", "1")
    assert host.do(lambda: host.fabric.forward(ipv4=True, ipv6=False)) == ()
