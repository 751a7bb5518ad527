"""Every scenario on Docker's daemon and on ours: nothing differs that nobody has explained."""

from collections.abc import Iterator

import pytest

from support.parity import contract
from support.parity.pair import pair
from support.parity.reviewed import Reviewed
from support.parity.run import Run
from support.parity.scenarios import Scenario, load

pytestmark = [pytest.mark.privileged, pytest.mark.boxshipd]

SCENARIOS = load()


@pytest.fixture(scope="module")
def run() -> Iterator[Run]:
    with pair() as both:
        yield Run(both, Reviewed())


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.id)
def test_scenario(run: Run, scenario: Scenario) -> None:
    differences = run.scenario(scenario)
    assert not differences, "\n" + "\n".join(map(str, differences))


@pytest.mark.skipif(not contract.PLACE.exists(), reason="Docker's description is not there")
def test_our_answers_are_as_dockers_description_has_them(run: Run) -> None:
    assert run.pair.boxshipd.performer.asked or len(run.ran) < len(SCENARIOS)
    assert not run.pair.faults()


def test_each_entry_of_the_table_is_needed(run: Run) -> None:
    assert not run.idle(SCENARIOS)
