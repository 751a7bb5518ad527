"""A daemon that answers by script."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.scripted import Server, scripted_daemon


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with scripted_daemon(str(tmp_path / "s.sock")) as running:
        yield running
