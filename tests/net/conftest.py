"""A namespace of its own for each test, so that nothing of the host is touched."""

import json
import subprocess
from collections.abc import Iterator
from ipaddress import ip_interface
from typing import Any

import pytest

from boxship.net.host import Host
from boxship.net.links import Links
from boxship.net.namespaces import NetworkNamespace, run_inside


class Place:
    """A namespace, what is in it, and how the system's own tools see that."""

    def __init__(self) -> None:
        self.namespace = NetworkNamespace.make()
        self.links = Links.open(self.namespace)

    def host(self) -> Host:
        """Return the daemon's side, as if the daemon was in here."""
        return run_inside(self.namespace, Host)

    def run(self, *command: str) -> str:
        """Return what a program prints in here."""
        enter = ["nsenter", f"--net={self.namespace.path}", "--"]
        return subprocess.run(
            [*enter, *command], check=True, text=True, stdout=subprocess.PIPE
        ).stdout

    def ip(self, *arguments: str) -> Any:
        """Return the rows of ``ip -j -d …``."""
        return json.loads(self.run("ip", "-j", "-d", *arguments) or "[]")

    def close(self) -> None:
        self.links.close()
        self.namespace.close()


@pytest.fixture
def place() -> Iterator[Place]:
    made = Place()
    yield made
    made.close()


@pytest.fixture
def other_place() -> Iterator[Place]:
    made = Place()
    yield made
    made.close()


@pytest.fixture
def host(place: Place) -> Iterator[Host]:
    """A daemon's side with the bridge ``br0``, 10.5.0.1/16 and fd05::1/64."""
    with place.host() as made:
        made.links.add_bridge("br0", mac="02:42:00:00:05:01")
        made.links.add_address("br0", ip_interface("10.5.0.1/16"))
        made.links.add_address("br0", ip_interface("fd05::1/64"))
        yield made
