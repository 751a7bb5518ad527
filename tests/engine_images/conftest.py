from collections.abc import Iterator
from pathlib import Path

import pytest

from support.shop import Shop


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    opened = Shop(tmp_path / "data")
    yield opened
    opened.close()
