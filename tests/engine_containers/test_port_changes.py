"""Ports that a container publishes from now on, or no more: what becomes of its configuration."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boxship.base.errors import InvalidArgumentError
from boxship.engine.containers.portchange import PortPlan, plan
from boxship.engine.containers.record import ContainerRecord
from boxship.engine.containers.requests import PortChange
from boxship.engine.networks.portwishes import wishes_of
from boxship.model.container import ContainerConfig, HostConfig, PortBinding
from boxship.model.portmaps import unfolded_host
from boxship.model.ports import PublishedPort


def record(
    bindings: dict[str, Any] | None = None,
    *ports: PublishedPort,
    exposed: tuple[str, ...] = (),
    publish_all: bool = False,
) -> ContainerRecord:
    return ContainerRecord(
        "a" * 64, "web", 0, "", "sleep", (),
        ContainerConfig(exposed_ports={key: {} for key in exposed}),
        HostConfig(port_bindings=bindings, publish_all_ports=publish_all),
        ports=ports,
    )  # fmt: skip


def bound(*ends: str) -> tuple[PortBinding, ...]:
    """``127.0.0.1:80`` or ``:80``."""
    return tuple(PortBinding(*end.rsplit(":", 1)) for end in ends)


def shown(done: PortPlan) -> dict[str, list[str]]:
    return {
        key: [f"{end.host_ip}:{end.host_port}" for end in ends or ()]
        for key, ends in (done.host.port_bindings or {}).items()
    }


WEB = PublishedPort("tcp", 80, 80, 8080, 8080)


def test_a_port_is_added() -> None:
    done = plan(record({"80/tcp": bound(":8080")}, WEB), PortChange({"80/tcp": bound("::1:81")}))
    assert shown(done) == {"80/tcp": [":8080", "::1:81"]}
    assert (done.kept, done.gone) == ((WEB,), ())
    assert [str(wish) for wish in done.wishes] == ["::1:81:80/tcp"]


@pytest.mark.parametrize("text", ["8080", "8080/tcp", "8080:80", "8000-9000", "[::1]:8080"])
def test_a_port_is_given_up_by_where_it_is(text: str) -> None:
    port = PublishedPort("tcp", 80, 80, 8080, 8080, "::1")
    done = plan(record({"80/tcp": bound("::1:8080", ":7000")}, port), PortChange(remove=(text,)))
    assert shown(done) == {"80/tcp": [":7000"]}
    assert (done.kept, done.gone) == ((), (port,))


@pytest.mark.parametrize("text", ["80", "8080/udp", "127.0.0.1:8080"])
def test_what_is_not_published_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgumentError, match="container web publishes no port"):
        plan(record({"80/tcp": bound(":8080")}, WEB), PortChange(remove=(text,)))


@pytest.mark.parametrize("text", ["x", "80/xyz", "[::x]:80", "1.2.3.400:80", "90-80"])
def test_nonsense_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgumentError, match="invalid"):
        plan(record({"80/tcp": bound(":8080")}, WEB), PortChange(remove=(text,)))


def test_a_hole_in_an_interval() -> None:
    port = PublishedPort("tcp", 80, 90, 8080, 8090)
    done = plan(record({"80-90/tcp": bound(":8080-8090")}, port), PortChange(remove=("8082-8083",)))
    assert shown(done) == {"80-81/tcp": [":8080-8081"], "84-90/tcp": [":8084-8090"]}
    assert [(one.container_first, one.host_last) for one in done.kept] == [(80, 8081), (84, 8090)]
    assert done.gone == (PublishedPort("tcp", 82, 83, 8082, 8083),)


def test_a_port_that_was_given_by_chance() -> None:
    one, two = (PublishedPort("tcp", n, n, 32768 + n, 32768 + n) for n in (80, 81))
    done = plan(record({"80-81/tcp": bound(":")}, one, two), PortChange(remove=("32848",)))
    assert shown(done) == {"81/tcp": [":"]}
    assert done.kept == (two,)


def test_a_port_out_of_several() -> None:
    done = plan(
        record({"80/tcp": bound(":8000-8010")}, PublishedPort("tcp", 80, 80, 8004, 8004)),
        PortChange(remove=("8004",)),
    )
    assert shown(done) == {}


def test_one_that_does_not_run() -> None:
    done = plan(
        record({"80/tcp": bound(":8080", ":8000-8010")}), PortChange(remove=("8080", "8000-8010"))
    )
    assert (shown(done), done.gone) == ({}, ())


def test_publish_all_is_spelled_out() -> None:
    ports = [PublishedPort("tcp", n, n, 32000 + n, 32000 + n) for n in (80, 81, 82)]
    before = record({"82/tcp": bound(":")}, *ports, exposed=("80-82/tcp",), publish_all=True)
    done = plan(before, PortChange(remove=("32081",)))
    assert not done.host.publish_all_ports
    assert shown(done) == {"82/tcp": [":"], "80/tcp": [":"]}


_SMALL = st.integers(1, 12)


@given(
    st.sets(_SMALL, min_size=1), st.lists(st.tuples(_SMALL, st.integers(0, 5)), max_size=3)
)  # fmt: skip
def test_what_is_kept_is_what_the_next_start_publishes(
    ports: set[int], holes: list[tuple[int, int]]
) -> None:
    spans = [(port, port) for port in ports]
    bindings = {f"{first}/tcp": bound(f":{first + 100}") for first, _ in spans}
    has = [PublishedPort("tcp", first, last, first + 100, last + 100) for first, last in spans]
    left = set(ports)
    host, kept = HostConfig(port_bindings=bindings), tuple(has)
    for first, length in holes:
        meant = set(range(first, first + length + 1))
        if not left & meant:
            continue
        change = PortChange(remove=(f"{first + 100}-{first + length + 100}",))
        done = plan(record(dict(host.port_bindings or {}), *kept), change)
        host, kept, left = done.host, done.kept, left - meant
    assert {port.container_first for port in kept} == left
    assert {wish.host_first for wish in wishes_of(ContainerConfig(), host)} == {
        port + 100 for port in left
    }


def test_overlapping_intervals_are_read_together() -> None:
    done = plan(record({"80-82/tcp": bound(":80-82")}), PortChange({"81/tcp": bound("::1:9")}))
    assert unfolded_host(done.host).port_bindings == {
        "80/tcp": bound(":80"), "81/tcp": bound(":81", "::1:9"), "82/tcp": bound(":82"),
    }  # fmt: skip
