"""What bindings and -P ask of the host's ports."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boxship.base.errors import InvalidArgumentError
from boxship.engine.networks.portwishes import PortWish, exposed_of, wishes_of
from boxship.model.container import ContainerConfig, HostConfig, PortBinding
from boxship.model.ports import PortSpan


def asked(
    bindings: dict[str, Any] | None = None, exposed: tuple[str, ...] = (), **host: Any
) -> tuple[ContainerConfig, HostConfig]:
    config = ContainerConfig(exposed_ports={key: {} for key in exposed})
    return config, HostConfig(port_bindings=bindings, **host)


def texts(wishes: tuple[PortWish, ...]) -> list[str]:
    return [str(wish) for wish in wishes]


@pytest.mark.parametrize(("key", "address", "port", "wish"), [
    ("80/tcp", "", "8080", ":8080:80/tcp"),
    ("80", "", "8080", ":8080:80/tcp"),
    ("80/UDP", "", "8080", ":8080:80/udp"),
    ("9/sctp", "", "", "::9/sctp"),
    ("80/tcp", "", "0", "::80/tcp"),
    ("80/tcp", "127.0.0.1", "", "127.0.0.1::80/tcp"),
    ("80/tcp", "0:0::1", "8080", "::1:8080:80/tcp"),
    ("80/tcp", "", "8000-8010", ":8000-8010:80/tcp"),
    ("80/tcp", "", "8080/udp", ":8080:80/tcp"),
    ("20000-30000/tcp", "", "20000-30000", ":20000-30000:20000-30000/tcp"),
])  # fmt: skip
def test_bindings(key: str, address: str, port: str, wish: str) -> None:
    assert texts(wishes_of(*asked({key: (PortBinding(address, port),)}))) == [wish]


@pytest.mark.parametrize(("key", "binding", "words"), [
    ("x/tcp", PortBinding(), '"x"'),
    ("80/xyz", PortBinding(), "80/xyz"),
    ("70000/tcp", PortBinding(), '"70000"'),
    ("80/tcp", PortBinding("", "x"), '"x"'),
    ("80/tcp", PortBinding("", "99999"), '"99999"'),
    ("80/tcp", PortBinding("", "8080-8070"), '"8080-8070"'),
    ("80/tcp", PortBinding("", "0-8070"), '"0-8070"'),
    ("80/tcp", PortBinding("", "+80"), r'"\+80"'),
    ("80/tcp", PortBinding("1.2.3", "80"), "invalid IP address: 1.2.3"),
    ("80-81/tcp", PortBinding("", "80-82"), "80-81 and 80-82"),
    ("80/tcp", PortBinding("", "80", ("10.0.0.0/33",)), "10.0.0.0/33"),
    ("80/tcp", PortBinding("127.0.0.1", "80", ("fd00::/8",)), "fd00::/8"),
])  # fmt: skip
def test_nonsense_is_named(key: str, binding: PortBinding, words: str) -> None:
    with pytest.raises(InvalidArgumentError, match=words):
        wishes_of(*asked({key: (binding,)}))


def test_sources_are_written_in_one_way() -> None:
    binding = PortBinding("", "80", ("10.1.2.3/8", "10.0.0.0/8", "192.168.0.1"))
    (wish,) = wishes_of(*asked({"80/tcp": (binding,)}))
    assert wish.sources == ("10.0.0.0/8", "192.168.0.1/32")


def test_a_default_address_is_for_those_without_one() -> None:
    bindings = {"80/tcp": (PortBinding("", "80"), PortBinding("0.0.0.0", "81"))}
    assert texts(wishes_of(*asked(bindings), "192.0.2.1")) == [
        "0.0.0.0:81:80/tcp", "192.0.2.1:80:80/tcp",
    ]  # fmt: skip


def test_publish_all_adds_what_is_exposed_and_not_bound() -> None:
    config, host = asked(
        {"82/tcp": (PortBinding("", "82"),), "84/tcp": None},
        ("80-84/tcp", "53/udp"),
        publish_all_ports=True,
    )
    assert texts(wishes_of(config, host)) == [
        "::80-81/tcp", ":82:82/tcp", "::83-84/tcp", "::53/udp",
    ]  # fmt: skip


def test_what_is_bound_is_exposed() -> None:
    config, host = asked({"82/tcp": None, "9/udp": None}, ("80-81/tcp", "9"))
    assert exposed_of(config, host) == (
        PortSpan("tcp", 9, 9), PortSpan("tcp", 80, 82), PortSpan("udp", 9, 9),
    )  # fmt: skip


@given(st.sets(st.integers(1, 60)), st.sets(st.integers(1, 60)))
def test_publish_all_covers_every_port_once(exposed: set[int], bound: set[int]) -> None:
    config, host = asked(
        {f"{port}/tcp": (PortBinding("", ""),) for port in bound},
        tuple(f"{port}/tcp" for port in exposed),
        publish_all_ports=True,
    )
    spans = [wish.span for wish in wishes_of(config, host)]
    ports = [port for span in spans for port in range(span.first, span.last + 1)]
    assert sorted(ports) == sorted(exposed | bound)
