"""A namespace of its own for each test, so that nothing of the host is touched."""

import json
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from boxship.net.links import Links
from boxship.net.namespaces import NetworkNamespace


class Place:
    """A namespace, what is in it, and how the system's own tools see that."""

    def __init__(self) -> None:
        self.namespace = NetworkNamespace.make()
        self.links = Links.open(self.namespace)

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
