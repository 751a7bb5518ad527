"""Where containers may connect to: the words and what they mean."""

from ipaddress import ip_address, ip_network

import pytest

from boxship.base.errors import InvalidArgumentError
from boxship.engine.networks.egress import (
    Egress,
    NamedTarget,
    NetworkTarget,
    Reach,
    facts_of_station,
    parse,
)
from boxship.net.firewall.facts import EgressPolicy, EgressRule


def net(text: str, *reach: object) -> NetworkTarget:
    return NetworkTarget(ip_network(text), Reach(*reach))  # type: ignore[arg-type]


def name(text: str, *reach: object) -> NamedTarget:
    return NamedTarget(text, Reach(*reach))  # type: ignore[arg-type]


@pytest.mark.parametrize(("words", "meaning"), [
    ((), None),
    (("deny",), Egress("deny")),
    (("Allow",), Egress("allow")),
    (("allow=10.0.0.0/8",), Egress("deny", (net("10.0.0.0/8"),))),
    (("deny", "allow=10.1.2.3/8:443"), Egress("deny", (net("10.0.0.0/8", "", 443, 443),))),
    (("deny=10.0.0.1",), Egress("allow", (net("10.0.0.1/32"),))),
    (("allow=10.0.0.1:1-9/udp",), Egress("deny", (net("10.0.0.1/32", "udp", 1, 9),))),
    (("allow=0.0.0.0/0/icmp",), Egress("deny", (net("0.0.0.0/0", "icmp"),))),
    (("allow=[fd00::/8]:53/udp",), Egress("deny", (net("fd00::/8", "udp", 53, 53),))),
    (("allow=fd00::1",), Egress("deny", (net("fd00::1/128"),))),
    (("allow=Example.ORG.:443",), Egress("deny", (), (name("example.org", "", 443, 443),))),
    (("allow=*.example.org/tcp",), Egress("deny", (), (name("*.example.org", "tcp"),))),
])  # fmt: skip
def test_words(words: tuple[str, ...], meaning: Egress | None) -> None:
    assert parse(words) == meaning


@pytest.mark.parametrize(("words", "reason"), [
    (("",), "expected deny"),
    (("block",), "expected deny"),
    (("allow=",), "expected deny"),
    (("allow", "deny"), "exclude"),
    (("allow=10.0.0.1", "deny=10.0.0.2"), "not clear"),
    (("deny", "deny=10.0.0.2"), "changes nothing"),
    (("allow", "allow=10.0.0.2"), "changes nothing"),
    (("deny=example.org",), "cannot be denied"),
    (("allow=10.0.0.300",), "no address"),
    (("allow=10.0.0.0/33",), "no address"),
    (("allow=-x.org",), "no address"),
    (("allow=a b",), "no address"),
    (("allow=10.0.0.1:0-99999",), "99999"),
    (("allow=10.0.0.1:9-1",), "9-1"),
    (("allow=10.0.0.1:80/icmp",), "no ports"),
])  # fmt: skip
def test_nonsense_is_named(words: tuple[str, ...], reason: str) -> None:
    with pytest.raises(InvalidArgumentError, match=reason):
        parse(words)


@pytest.mark.parametrize(("target", "name", "covered"), [
    ("example.org", "example.org", True),
    ("example.org", "EXAMPLE.org.", True),
    ("example.org", "www.example.org", False),
    ("example.org", "badexample.org", False),
    ("*.example.org", "www.example.org", True),
    ("*.example.org", "a.b.example.org", True),
    ("*.example.org", "example.org", False),
    ("*.example.org", "badexample.org", False),
    ("*.example.org", ".example.org", False),
])  # fmt: skip
def test_names(target: str, name: str, covered: bool) -> None:
    assert NamedTarget(target, Reach()).covers(name) is covered


def test_what_the_firewall_is_told() -> None:
    egress = parse(("allow=10.0.0.0/8:443", "allow=fd00::/8/udp", "allow=example.org"))
    assert egress is not None
    own = (ip_address("172.17.0.2"), ip_address("fd01::2"))
    assert list(facts_of_station(egress, "br0", "02:42:ac:11:00:02", own)) == [
        EgressPolicy("br0", "02:42:ac:11:00:02", "deny"),
        EgressRule(own[0], "allow", ip_network("10.0.0.0/8"), "tcp", 443, 443),
        EgressRule(own[0], "allow", ip_network("10.0.0.0/8"), "udp", 443, 443),
        EgressRule(own[1], "allow", ip_network("fd00::/8"), "udp", 0, 65535),
    ]
