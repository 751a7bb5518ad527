"""The name server inside user-defined networks."""

import time
from contextlib import suppress

import pytest

from support import names
from support.lab import Lab
from support.machines import OUTSIDE4
from support.names import AAAA, NOERROR, NXDOMAIN, PTR, Nameserver, addresses, ask, pointer

pytestmark = pytest.mark.privileged

DEAD = "203.0.113.99"
"""Nobody answers there."""


@pytest.mark.option("NetworkingConfig.EndpointsConfig.*.Aliases")
def test_names_ids_and_aliases(lab: Lab) -> None:
    lab.network("shop")
    web = lab.run("web", "--network=shop", "--network-alias=www", "--network-alias=shopfront")
    asking = lab.run("asking", "--network=shop")
    for name in ("web", "www", "shopfront", web.id[:12], "WEB", "web.shop"):
        assert addresses(asking, name) == [web.address()], name
        assert addresses(web, name) == [web.address()], "itself"
    assert ask(asking, pointer(web.address()), PTR).names == ("web.shop",)


def test_the_images_own_programs_resolve(lab: Lab) -> None:
    lab.network("shop")
    web = lab.run("web", "--network=shop")
    asking = lab.run("asking", "--network=shop")
    assert web.address() in asking.exec("nslookup", "web")
    asking.exec("ping", "-c", "1", "-W", "2", "web")


def test_tcp_and_udp(lab: Lab) -> None:
    lab.network("shop")
    web = lab.run("web", "--network=shop")
    assert ask(web, "web", tcp=True) == ask(web, "web")


@pytest.mark.boxshipd
def test_edns_is_answered_with_edns(lab: Lab) -> None:
    lab.network("shop")
    web = lab.run("web", "--network=shop")
    answer = ask(web, "web", edns=4096)
    assert (answer.addresses, answer.has_edns) == ((web.address(),), True)
    assert not ask(web, "web").has_edns


def test_a_name_without_an_address_of_that_kind(lab: Lab) -> None:
    """No error, nothing found, and nobody else is asked."""
    with Nameserver(lab.outside) as upstream:
        lab.network("shop")
        web = lab.run("web", "--network=shop", f"--dns={OUTSIDE4}")
        answer = ask(web, "web", AAAA)
        assert (answer.code, answer.addresses) == (NOERROR, ())
        assert upstream.heard == []


def test_many_of_one_alias_take_turns(lab: Lab) -> None:
    lab.network("shop")
    boxes = [lab.run(f"web{n}", "--network=shop", "--network-alias=web") for n in range(3)]
    everyone = sorted(box.address() for box in boxes)
    answers = [ask(boxes[0], "web").addresses for _ in range(40)]
    assert all(sorted(answer) == everyone for answer in answers)
    assert {answer[0] for answer in answers} == set(everyone)


def test_a_name_is_known_in_its_own_networks_alone(lab: Lab) -> None:
    with Nameserver(lab.outside):
        lab.network("red")
        lab.network("blue")
        red = lab.run("red", "--network=red", f"--dns={OUTSIDE4}")
        blue = lab.run("blue", "--network=blue", f"--dns={OUTSIDE4}")
        assert ask(red, "blue").code == NXDOMAIN
        lab.docker("network", "connect", "red", "blue")
        blue.read()
        assert addresses(red, "blue") == [blue.address("red")]
        assert addresses(blue, "blue") in (
            [blue.address("blue")], sorted([blue.address("red"), blue.address("blue")]),
        )  # fmt: skip
        lab.docker("network", "disconnect", "red", "blue")
        assert ask(red, "blue").code == NXDOMAIN


def test_follows_rename_stop_and_start(lab: Lab) -> None:
    with Nameserver(lab.outside):
        lab.network("shop")
        web = lab.run("web", "--network=shop")
        asking = lab.run("asking", "--network=shop", f"--dns={OUTSIDE4}")
        lab.docker("rename", "web", "store")
        assert addresses(asking, "store") == [web.address()]
        assert ask(asking, "web").code == NXDOMAIN
        lab.docker("kill", "store")
        assert ask(asking, "store").code == NXDOMAIN
        lab.docker("start", "store")
        assert addresses(asking, "store") == [lab.box("store").address()]


@pytest.mark.option("NetworkingConfig.EndpointsConfig.*.Links")
def test_a_link_is_an_alias_for_one_alone(lab: Lab) -> None:
    with Nameserver(lab.outside):
        lab.network("shop")
        base = lab.run("base", "--network=shop")
        one = lab.run("one", "--network=shop", "--link=base:db")
        two = lab.run("two", "--network=shop", f"--dns={OUTSIDE4}")
        assert addresses(one, "db") == [base.address()]
        assert ask(two, "db").code == NXDOMAIN


def test_other_names_are_asked_of_the_given_servers(lab: Lab) -> None:
    """With whatever they answer; by UDP and TCP."""
    with Nameserver(lab.outside, {"example.org": "192.0.2.80"}) as upstream:
        lab.network("shop")
        box = lab.run("box", "--network=shop", f"--dns={OUTSIDE4}")
        assert addresses(box, "example.org") == ["192.0.2.80"]
        assert ask(box, "example.org", tcp=True).addresses == ("192.0.2.80",)
        assert ask(box, "no.example.org").code == NXDOMAIN
        assert upstream.callers == {lab.machine.address}


def test_answers_that_are_cut_off_come_by_tcp(lab: Lab) -> None:
    with Nameserver(lab.outside, {"example.org": "192.0.2.80"}, large=True):
        lab.network("shop")
        box = lab.run("box", "--network=shop", f"--dns={OUTSIDE4}")
        assert ask(box, "example.org").truncated
        assert ask(box, "example.org", tcp=True).addresses == ("192.0.2.80",)


@pytest.mark.parametrize("first", [OUTSIDE4, DEAD], ids=["refuses", "silent"])
def test_the_next_server_when_one_fails(lab: Lab, first: str) -> None:
    with Nameserver(lab.peer, {"example.org": "192.0.2.80"}):
        lab.network("shop")
        box = lab.run("box", "--network=shop", f"--dns={first}", f"--dns={lab.peer.address}")
        begin = time.monotonic()
        assert ask(box, "example.org", timeout=10).addresses == ("192.0.2.80",)
        assert time.monotonic() - begin < (6 if lab.is_dockerd else 2.5)


def test_servfail_of_one_server_is_not_the_last_word(lab: Lab) -> None:
    good = {"example.org": "192.0.2.80"}
    with Nameserver(lab.outside, code=names.SERVFAIL) as bad, Nameserver(lab.peer, good):
        lab.network("shop")
        box = lab.run("box", "--network=shop", f"--dns={OUTSIDE4}", f"--dns={lab.peer.address}")
        assert addresses(box, "example.org") == ["192.0.2.80"]
        assert bad.heard


def test_an_internal_network_asks_nobody(lab: Lab) -> None:
    with Nameserver(lab.outside, {"example.org": "192.0.2.80"}) as upstream:
        lab.network("vault", "--internal")
        box = lab.run("box", "--network=vault", f"--dns={OUTSIDE4}")
        patience: tuple[type[BaseException], ...] = (TimeoutError,) if lab.is_dockerd else ()
        with suppress(*patience):
            assert ask(box, "example.org", timeout=1).addresses == ()
        assert addresses(box, "box") == [box.address()]
        assert upstream.heard == []


def test_on_the_default_bridge_the_container_asks_by_itself(lab: Lab) -> None:
    with Nameserver(lab.outside, {"example.org": "192.0.2.80"}):
        box = lab.run("box", f"--dns={OUTSIDE4}", "--dns-search=example.org")
        resolv = box.exec("cat", "/etc/resolv.conf").splitlines()
        assert {f"nameserver {OUTSIDE4}", "search example.org"} <= set(resolv)
        assert ask(box, "example.org", server=OUTSIDE4).addresses == ("192.0.2.80",)
