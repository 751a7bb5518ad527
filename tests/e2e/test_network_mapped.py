"""Networks of containers whose users are mapped: root inside is root over its own, and no other."""

from collections.abc import Iterator

import pytest

from support.lab import Lab
from support.subordinate import USER, subordinate_ids

pytestmark = [pytest.mark.privileged, pytest.mark.boxshipd]


@pytest.fixture(scope="module")
def _mapping_lab() -> Iterator[Lab]:
    with subordinate_ids(), Lab("boxshipd", f"--userns-remap={USER}") as made:
        yield made


@pytest.fixture
def lab(_mapping_lab: Lab) -> Iterator[Lab]:
    yield _mapping_lab
    _mapping_lab.clear()


def test_it_has_its_network_and_rights_over_it(lab: Lab) -> None:
    lab.network("front")
    box = lab.run("box", "--network=front", "--cap-add=NET_ADMIN", "-p", "6080:80")
    other = lab.run("other", "--network=front")
    with box.serving("box", 80):
        assert other.ask(box.address(), 80).startswith("box ")
        assert lab.peer.ask(lab.machine.address, 6080).startswith("box ")
    assert box.exec("ip", "link", "set", "eth0", "mtu", "1400") == ""
    assert "mtu 1400" in box.exec("ip", "link", "show", "eth0")
    assert box.exec("ls", "/sys/class/net").split() == ["eth0", "lo"]
    assert box.exec("cat", "/proc/self/uid_map").split()[1] == "300000"
    assert "other" in box.exec("nslookup", "other")


def test_without_the_capability_it_cannot_change_it(lab: Lab) -> None:
    box = lab.run("box")
    refused = box.try_exec("ip", "link", "set", "eth0", "mtu", "1400")
    assert "Operation not permitted" in refused.err


def test_users_of_two_containers_have_nothing_to_do_with_each_other(lab: Lab) -> None:
    one, two = lab.run("one"), lab.run("two")
    assert one.exec("readlink", "/proc/self/ns/user") != two.exec("readlink", "/proc/self/ns/user")


def test_one_that_is_not_mapped_is_beside_it(lab: Lab) -> None:
    mapped, plain = lab.run("mapped"), lab.run("plain", "--userns=host")
    with mapped.serving("mapped", 80):
        assert plain.ask(mapped.address(), 80).startswith("mapped ")
    assert plain.exec("cat", "/proc/self/uid_map").split()[1] == "0"


def test_who_shares_processes_shares_users_and_has_a_network_of_its_own(lab: Lab) -> None:
    one = lab.run("one")
    two = lab.run("two", "--pid=container:one", "--cap-add=NET_ADMIN")
    assert one.exec("readlink", "/proc/1/ns/user") == two.exec("readlink", "/proc/self/ns/user")
    assert one.address() != two.address()
    assert two.exec("ip", "link", "set", "eth0", "mtu", "1400") == ""


def test_it_is_connected_while_it_runs(lab: Lab) -> None:
    box = lab.run("box")
    lab.network("more")
    lab.docker("network", "connect", "more", "box")
    assert sorted(box.interfaces()) == ["eth0", "eth1", "lo"]
    lab.docker("network", "disconnect", "more", "box")
    assert sorted(box.interfaces()) == ["eth0", "lo"]
