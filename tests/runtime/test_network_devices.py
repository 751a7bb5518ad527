"""Interfaces of the host's that move into a container."""

import subprocess
from collections.abc import Iterator

import pytest

from boxship.oci.runtime import NetDevice
from support.boxes import Box

pytestmark = pytest.mark.privileged


def ip(*words: str) -> str:
    return subprocess.run(["ip", *words], check=True, capture_output=True, text=True).stdout


@pytest.fixture
def interface() -> Iterator[str]:
    ip("link", "add", "boxtest0", "type", "veth", "peer", "name", "boxtest1")
    ip("address", "add", "192.0.2.5/24", "dev", "boxtest0")
    ip("-6", "address", "add", "2001:db8::5/64", "dev", "boxtest0", "nodad")
    ip("link", "set", "boxtest0", "up")
    ip("link", "set", "boxtest1", "up")
    yield "boxtest0"
    subprocess.run(["ip", "link", "delete", "boxtest1"], check=False, capture_output=True)


@pytest.mark.spec("linux.netDevices")
def test_an_interface_moves_with_its_addresses(box: Box, interface: str) -> None:
    box.change_linux(net_devices={interface: NetDevice("lan0")})
    result = box.run("ip", "address", "show", "lan0")
    assert result.failure is None, result.failure
    assert "inet 192.0.2.5/24" in result.output
    assert "inet6 2001:db8::5/64" in result.output
    assert ",UP" in result.output
    assert interface not in ip("link")


def test_an_interface_that_is_not_there(box: Box) -> None:
    box.change_linux(net_devices={"nosuch9": NetDevice()})
    failure = box.run("true").failure
    assert failure is not None
    assert failure[:2] == ("MoveInterfaces", 19)
    assert "nosuch9" in failure[2]
