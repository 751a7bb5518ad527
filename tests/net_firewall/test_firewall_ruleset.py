"""The rules as the kernel has them, read by nft."""

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest

from boxship.net.firewall.facts import (
    Bridge,
    EgressPolicy,
    EgressRule,
    Fact,
    Linked,
    Published,
    Station,
)
from boxship.net.firewall.firewall import Firewall
from boxship.net.namespaces import NetworkNamespace
from boxship.net.nftables.numbers import Family
from boxship.net.nftables.objects import Table, add_table, delete_table
from boxship.net.nftables.transaction import commit, open_socket
from support.machines import listed_rules
from support.places import Place

pytestmark = pytest.mark.privileged

GOLDEN = Path(__file__).parent / "ruleset.nft"
HOST, OTHER = ip_address("10.1.0.2"), ip_address("fd01::2")
FACTS: list[Fact] = [
    Bridge("br-a", (ip_network("10.1.0.0/24"), ip_network("fd01::/64"))),
    Bridge("br-i", (ip_network("10.3.0.0/24"),), internal=True),
    Bridge("br-q", (ip_network("10.4.0.0/24"),), icc=False, masquerade=False),
    Bridge("br-r", (ip_network("10.5.0.0/24"), ip_network("fd05::/64")), routed=(6,)),
    Bridge("br-s", (ip_network("10.6.0.0/24"),), snat_to=(ip_address("192.0.2.1"),)),
    Station("br-a", "veth1", "02:42:0a:01:00:02", (HOST, OTHER)),
    Station("br-q", "veth2", "02:42:0a:04:00:02", (ip_address("10.4.0.2"),)),
    Published("tcp", None, 20000, 30000, HOST, 20000),
    Published("tcp", ip_address("127.0.0.1"), 8080, 8080, HOST, 80),
    Published("udp", None, 5000, 5002, HOST, 6000, (ip_network("10.0.0.0/9"),)),
    Published("tcp", None, 8080, 8080, OTHER, 80),
    Published("tcp", None, 443, 443, ip_address("fd05::2"), 8443),
    Linked(ip_address("10.4.0.2"), ip_address("10.4.0.3"), "tcp", 80, 80),
    EgressPolicy("br-a", "02:42:0a:01:00:02"),
    EgressRule(HOST, "allow", ip_network("192.0.2.0/24"), "tcp", 443, 443),
]


@pytest.fixture
def place() -> Iterator[Place]:
    with NetworkNamespace.make() as namespace:
        yield Place(namespace.path)


def test_nft_lists_what_was_meant(place: Place) -> None:
    firewall = Firewall()
    place.inside(firewall.open)
    try:
        firewall.replace(FACTS)
        found = listed_rules(place)
    finally:
        firewall.close(remove=True)
    assert found == GOLDEN.read_text()


def test_facts_that_came_one_by_one_make_the_same_rules(place: Place) -> None:
    firewall = Firewall()
    place.inside(firewall.open)
    try:
        firewall.replace(())
        for fact in FACTS:
            firewall.change(add=(fact,))
        assert listed_rules(place) == GOLDEN.read_text()
        empty = Firewall("other")
        place.inside(empty.open)
        empty.replace(())
        for fact in reversed(FACTS):
            firewall.change(remove=(fact,))
        ours, others = (listed_rules(place, "table", "inet", name) for name in ("boxship", "other"))
        others = others.replace("other", "boxship")
        number = str(empty.log_group)
        assert ours == others.replace(number, str(firewall.log_group))
        empty.close(remove=True)
    finally:
        firewall.close(remove=True)
    assert place.run("nft", "list", "ruleset") == ""


def test_opening_changes_nothing(place: Place) -> None:
    firewall = Firewall()
    place.inside(firewall.open)
    firewall.close(remove=False)
    assert place.run("nft", "list", "ruleset") == ""


def test_a_refused_batch_leaves_nothing(place: Place) -> None:
    missing = Table(Family.INET, "absent")
    with place.inside(open_socket) as socket, pytest.raises(OSError, match="delete table absent"):
        commit(socket, [add_table(Table(Family.INET, "made")), delete_table(missing)])
    assert place.run("nft", "list", "ruleset") == ""


def test_tables_of_the_old_iptables_are_told_of(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    place.run("iptables-legacy", "-P", "FORWARD", "DROP")
    firewall = Firewall()
    place.inside(firewall.open)
    firewall.close(remove=False)
    assert "old iptables has tables here (ip filter)" in caplog.text


def test_without_permission_the_error_says_what_to_grant() -> None:
    """As somebody else than root, in a network namespace of the host."""
    script = (
        "import os\n"
        "from boxship.net.firewall.firewall import Firewall\n"
        "os.setuid(65534)\n"
        "try: Firewall().open()\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("FirewallUnavailableError no permission")
    assert "CAP_NET_ADMIN" in done.stdout


def test_a_mistake_of_many_at_once_is_its_own(place: Place) -> None:
    """A protocol that there is not, and a range that the kernel finds in the way of another."""
    firewall = Firewall()
    place.inside(firewall.open)
    firewall.replace(FACTS[:1])
    good = [Published("tcp", None, port, port, HOST, 80) for port in range(8000, 8040)]
    bad = [
        Published("carrier pigeon", None, 1, 1, HOST, 1),
        Published("tcp", None, 20005, 20006, HOST, 20005),
    ]
    firewall.change(add=[Published("tcp", None, 20000, 20010, HOST, 20000)])
    failed: list[Published] = []

    def publish(port: Published) -> None:
        try:
            firewall.change(add=[port])
        except (KeyError, OSError):
            failed.append(port)

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(publish, [*good[:20], *bad, *good[20:]]))
    listed = listed_rules(place)
    firewall.close(remove=True)
    assert {bad[0]} <= set(failed) <= set(bad)  # Linux 6.1 lets the second one in
    assert all(f"tcp . {port.first} :" in listed for port in good)
