"""Firewalls of others: what they close, what is opened in them, and what they take away."""

import subprocess
from collections.abc import Iterator
from ipaddress import ip_address

import pytest

from boxship.net.firewall.facts import Published
from boxship.net.firewall.firewall import Firewall
from support.machines import Machine
from support.waiting import eventually
from support.yard import Yard, nobody_reaches, reached

pytestmark = pytest.mark.privileged

DOCKERD = """
iptables -N DOCKER; iptables -N DOCKER-USER
iptables -A FORWARD -j DOCKER-USER
iptables -A FORWARD -o docker0 -j DOCKER
iptables -A FORWARD -i docker0 ! -o docker0 -j ACCEPT
iptables -P FORWARD DROP; ip6tables -P FORWARD DROP
"""
UFW = """
for i in iptables/ufw ip6tables/ufw6; do
    $(dirname $i) -N $(basename $i)-before-forward
    $(dirname $i) -A FORWARD -j $(basename $i)-before-forward
    $(dirname $i) -A $(basename $i)-before-forward -m conntrack --ctstate RELATED,ESTABLISHED \
        -j ACCEPT
    $(dirname $i) -P FORWARD DROP
done
"""
STRICT_FIREWALLD = """
nft -f - <<END
table inet firewalld {
    chain filter_FORWARD_POLICIES { iifname "eth0" jump filter_FWD_public; }
    chain filter_FWD_public { reject with icmpx admin-prohibited; }
    chain filter_FORWARD {
        type filter hook forward priority filter + 10; policy accept;
        ct state { established, related } accept
        iifname "lo" accept
        jump filter_FORWARD_POLICIES
        reject with icmpx admin-prohibited
    }
}
END
"""
FIREWALLD = STRICT_FIREWALLD.replace(
    "accept\n        iifname", "accept\n        ct status dnat accept\n        iifname"
)
BARE_POLICY = "iptables -P FORWARD DROP; ip6tables -P FORWARD DROP"
LAST_RULE = "iptables -A FORWARD -j REJECT; ip6tables -A FORWARD -j REJECT"
NATIVE = """
nft 'table inet filter { chain forward { type filter hook forward priority 0; policy drop; }; }'
"""
EVERYBODY = {
    "dockerd": DOCKERD,
    "ufw": UFW,
    "firewalld": FIREWALLD,
    "firewalld with StrictForwardPorts": STRICT_FIREWALLD,
    "bare policy": BARE_POLICY,
    "last rule": LAST_RULE,
    "nftables.conf": NATIVE,
}
OPEN = ("dockerd", "firewalld", "bare policy", "nftables.conf")
"""Where new connections to published ports are let through although ``respect`` is asked for."""


def configure(machine: Machine, script: str) -> None:
    machine.run("sh", "-ec", script)


def ports(yard: Yard) -> list[Published]:
    server = yard.stations["a2"]
    targets = (ip_address(server.address), ip_address(server.address6))
    return [Published("tcp", None, 8080, 8080, target, 80) for target in targets]


@pytest.fixture(autouse=True)
def _unchanged(made_yard: Yard) -> Iterator[None]:
    """Others' tables go after each test; ours comes with the next."""
    yield
    made_yard.machine.run("nft", "flush", "ruleset")


@pytest.mark.parametrize("who", EVERYBODY)
def test_ways_out_pass_and_published_ports_as_far_as_they_may(yard: Yard, who: str) -> None:
    configure(yard.machine, EVERYBODY[who])
    yard.reset(*ports(yard))
    inside, far = yard.stations["a2"], yard.peer
    with inside.serving("web", 80), far.serving("far", 80):
        for address in (far.address, far.address6):
            assert reached(inside, address, 80)
        addresses = (yard.machine.address, yard.machine.address6)
        if who in OPEN:
            assert all(reached(far, address, 8080) for address in addresses)
        else:
            assert nobody_reaches(*((far, address, 8080) for address in addresses))
        assert yard.machine.ask("127.0.0.1", 8080).startswith("web ")
        assert reached(inside, yard.machine.address, 8080)
    assert {one.inbound for one in yard.firewall.obstacles()} == {who in OPEN}
    for port in ports(yard):
        assert bool(yard.firewall.decided_by(port)) == (who not in OPEN)


@pytest.mark.parametrize("who", EVERYBODY)
def test_bypass_opens_published_ports_everywhere(yard: Yard, who: str) -> None:
    configure(yard.machine, EVERYBODY[who])
    firewall = Firewall(mode="bypass")
    yard.machine.inside(firewall.open)
    try:
        firewall.replace([*yard.facts, *ports(yard)])
        with yard.stations["a2"].serving("web", 80, 81):
            for address in (yard.machine.address, yard.machine.address6):
                assert reached(yard.peer, address, 8080)
            assert not yard.peer.reaches(yard.stations["a2"].address, 81)
    finally:
        firewall.close(remove=True)


def test_rules_that_somebody_wrote_come_before_ours(yard: Yard) -> None:
    configure(yard.machine, DOCKERD)
    yard.machine.run("iptables", "-I", "DOCKER-USER", "-s", yard.peer.address, "-j", "DROP")
    yard.reset(*ports(yard))
    with yard.stations["a2"].serving("web", 80):
        assert not yard.peer.reaches(yard.machine.address, 8080)
        assert reached(yard.peer, yard.machine.address6, 8080)


def test_containers_of_another_engine_are_left_to_it(yard: Yard) -> None:
    """Our way out is none into dockerd's bridge, though dockerd would let everybody in there."""
    machine, docker = yard.machine, yard.stations["b2"]
    configure(machine, DOCKERD)
    machine.run("iptables", "-A", "FORWARD", "-o", "br-b", "-j", "DOCKER")
    machine.run("iptables", "-A", "FORWARD", "-i", "br-b", "-j", "ACCEPT")
    machine.run("iptables", "-A", "DOCKER", "!", "-i", "br-b", "-p", "tcp", "--dport", "80",
                "-j", "ACCEPT")  # fmt: skip
    facts = [
        fact
        for fact in yard.facts
        if "br-b" not in (getattr(fact, name, "") for name in ("interface", "bridge"))
    ]
    for _ in range(2):
        machine.inside(lambda: yard.firewall.replace(facts))
        with docker.serving("docker", 80, 81):
            assert reached(yard.peer, docker.address, 80), "as dockerd has it"
            ours = yard.stations["a2"]
            assert nobody_reaches((ours, docker.address, 80), (ours, docker.address, 81))


def test_iptables_still_reads_its_tables(yard: Yard) -> None:
    configure(yard.machine, f"{LAST_RULE}; {DOCKERD}")
    yard.reset(*ports(yard))
    for program in ("iptables", "ip6tables"):
        listed = yard.machine.run(program, "-S")
        assert "-A BOXSHIP -i br-a" in listed
        assert "--ctstate RELATED,ESTABLISHED" in listed
        yard.machine.run(f"{program}-save")


@pytest.mark.parametrize("who", EVERYBODY)
def test_nothing_of_ours_stays_in_their_tables(yard: Yard, who: str) -> None:
    configure(yard.machine, EVERYBODY[who])
    before = yard.machine.run("nft", "--stateless", "list", "ruleset")
    firewall = Firewall("passing")
    yard.machine.inside(firewall.open)
    firewall.replace(yard.facts)
    assert "PASSING" in yard.machine.run("nft", "list", "ruleset")
    firewall.close(remove=True)
    after = yard.machine.run("nft", "--stateless", "list", "ruleset")
    assert after == before


def test_the_last_bridge_takes_our_chain_along(yard: Yard) -> None:
    configure(yard.machine, DOCKERD)
    yard.reset()
    assert "BOXSHIP" in yard.machine.run("iptables", "-S")
    yard.machine.inside(lambda: yard.firewall.change(remove=yard.facts))
    assert "BOXSHIP" not in yard.machine.run("iptables", "-S")


@pytest.mark.parametrize(
    "how",
    [
        "nft flush ruleset",
        "nft delete table inet boxship",
        "nft flush table inet boxship",
        "nft flush map inet boxship ports4",
        "nft flush chain ip filter FORWARD",
        "iptables -F; iptables -X",
        f"nft flush ruleset; {DOCKERD}",
    ],
)
def test_what_somebody_takes_away_is_back_at_once(yard: Yard, how: str) -> None:
    configure(yard.machine, DOCKERD)
    yard.reset(*ports(yard))
    yard.machine.inside(yard.firewall.watch)
    try:
        with yard.stations["a2"].serving("web", 80), yard.peer.serving("far", 80):
            assert reached(yard.peer, yard.machine.address, 8080)
            configure(yard.machine, how)

            def works() -> bool:
                return yard.peer.reaches(yard.machine.address, 8080) and yard.stations[
                    "a2"
                ].reaches(yard.peer.address, 80)

            eventually(lambda: "ports4 {" in rules(yard.machine) and works(), how, timeout=1.5)
    finally:
        yard.firewall.unwatch()


def rules(machine: Machine) -> str:
    done = subprocess.run(
        ["nsenter", f"--net={machine.path}", "nft", "list", "ruleset"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout
