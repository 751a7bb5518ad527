"""One yard for all; each test begins with its bridges and stations, and nothing published."""

from collections.abc import Iterator

import pytest

from support.yard import Yard


@pytest.fixture(scope="package")
def made_yard() -> Iterator[Yard]:
    with Yard() as yard:
        yield yard


@pytest.fixture
def yard(made_yard: Yard) -> Yard:
    made_yard.reset()
    return made_yard
