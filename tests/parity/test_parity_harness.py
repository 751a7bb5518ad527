"""The harness of the parity run can fail: what differs is found, and what only looks so is not."""

import json
from pathlib import Path

import pytest

from support.parity.comparing import ABSENT, compare
from support.parity.contract import PLACE, Contract
from support.parity.performing import Answered, Outcome, Ran
from support.parity.reviewed import Reviewed
from support.parity.scenarios import Scenario, Step, load, read

ZERO = "0001-01-01T00:00:00Z"
A, B, C, D = ("a1" * 32, "b2" * 32, "c3" * 32, "d4" * 32)


def differences(*pairs: tuple[Outcome, Outcome], **fields: object) -> list[tuple[str, str, str]]:
    step = Step("docker ps", **fields)
    scenario = Scenario("group", "name", (step,) * len(pairs))
    found = [each for _, differing in compare(scenario, list(pairs)) for each in differing]
    return [(each.at, each.dockerd, each.boxshipd) for each in found]


def ran(out: str, code: int = 0, err: str = "") -> Ran:
    return Ran(code, out, err)


def answered(document: object, status: int = 200) -> Answered:
    return Answered(status, "application/json", (), json.dumps(document).encode())


@pytest.mark.parametrize(
    ("left", "right", "found"),
    [
        (ran("a"), ran("a"), []),
        (ran("a"), ran("b"), [("out", "a", "b")]),
        (ran("a", 1), ran("a", 2), [("exit", "1", "2")]),
        (ran("", err="no"), ran("", err="yes"), [("err", "no", "yes")]),
        (ran("a\nb\nc"), ran("a\nx\nc"), [("out", "b", "x")]),
        (ran("Up 2 seconds  x"), ran("Up About a minute      x"), []),
        (ran("2026-01-01T00:00:00.5Z"), ran("2026-01-02T00:00:00Z"), []),
        (ran(ZERO), ran("2026-01-02T00:00:00Z"), [("out", ZERO, "<time>")]),
        (answered({}), answered({}, 404), [("status", "200", "404")]),
        (answered({"a": 1}), answered({"a": "1"}), [("body.a", "1", '"1"')]),
        (answered({"a": 1}), answered({}), [("body.a", "1", ABSENT)]),
        (answered({}), answered({"b": 1}), [("body.b", ABSENT, "1")]),
        (answered({"a": None}), answered({"a": []}), [("body.a", "null", "[]")]),
        (answered([{"Pid": 5}]), answered([{"Pid": 7}]), []),
        (answered([{"Pid": 5}]), answered([{"Pid": "7"}]), [("body[].Pid", "5", '"7"')]),
        (answered([1, 2]), answered([1]), [("body[]", "2", ABSENT)]),
    ],
)  # fmt: skip
def test_differences(left: Outcome, right: Outcome, found: list[tuple[str, str, str]]) -> None:
    assert differences((left, right)) == found


def test_ids_correspond_from_step_to_step() -> None:
    assert not differences((ran(A), ran(B)), (ran(A[:12]), ran(B[:12])), (ran(C), ran(D)))
    assert differences((ran(A), ran(B)), (ran(A), ran(C)))
    assert differences((ran(f"{A} {A}"), ran(f"{B} {C}")))
    assert differences((ran(f"{A} {C}"), ran(f"{B} {B}")))
    assert differences((ran(A), ran(B[:12])))


def test_what_has_no_order_is_compared_without() -> None:
    known = (ran(f"{A}\n{C}"), ran(f"{B}\n{D}"))
    turned = (ran(f"{A}\n{C}"), ran(f"{D}\n{B}"))
    assert differences(known, turned)
    assert not differences(known, turned, unordered=True)
    one, other = {"Name": "x", "n": 1}, {"Name": "y", "n": 2}
    pair = (answered([one, other]), answered([other, one]))
    assert differences(pair)
    assert not differences(pair, unordered=True)


def test_some_places_are_not_compared() -> None:
    pair = (answered({"a": {"b": 1}, "c": 2}), answered({"a": {"b": 3}, "c": 4}))
    assert {at for at, _, _ in differences(pair)} == {"body.a.b", "body.c"}
    assert {at for at, _, _ in differences(pair, ignore=("body.c",))} == {"body.a.b"}
    assert {at for at, _, _ in differences(pair, only=("body.c",))} == {"body.c"}
    assert not differences(pair, shape=True)
    assert not differences((ran("n 1"), ran("n 2")), replace=((r"\d", "N"),))


def test_an_entry_explains_what_it_names_and_is_idle_without_that(tmp_path: Path) -> None:
    table = tmp_path / "differences.toml"
    table.write_text(
        '[[reason]]\nname = "r"\ntext = "t"\n'
        'differences = [{ step = "group/name: docker *", at = "out", boxshipd = "^b$" }]\n'
    )
    reviewed, step = Reviewed(table), Step("docker ps")
    scenario = Scenario("group", "name", (step,))

    def reason(left: str, right: str) -> str | None:
        ((_, (found,)),) = compare(scenario, [(ran(left), ran(right))])
        return reviewed.reason(found)

    assert reason("a", "c") is None
    assert [entry.at for entry in reviewed.idle([scenario], {"group/name"})] == ["out"]
    assert not reviewed.idle([scenario], set())
    assert reason("a", "b") == "r"
    assert not reviewed.idle([scenario], {"group/name"})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[[scenario]]\nname = "a"\nsteps = ["podman ps"]', "a step begins with"),
        ('[[scenario]]\nname = "a"\nsteps = [{ runs = "docker ps" }]', "run"),
        ('[[scenario]]\nname = "a"', "steps"),
        ('[[scenario]]\nname = "a"\nsteps = []\n' * 2, "more than one scenario is named a"),
    ],
)
def test_a_wrong_scenario_is_told(tmp_path: Path, text: str, message: str) -> None:
    place = tmp_path / "wrong.toml"
    place.write_text(text)
    with pytest.raises(ValueError, match=message):
        read(place)


def test_there_are_steps_of_all_groups() -> None:
    scenarios = load()
    assert {scenario.group for scenario in scenarios} >= {
        "containers", "copying", "events", "exec", "images", "logs", "networks", "ps", "system",
        "volumes",
    }  # fmt: skip
    assert sum(len(scenario.steps) for scenario in scenarios) >= 400


@pytest.mark.skipif(not PLACE.exists(), reason="Docker's description is not there")
def test_the_contract_finds_unknown_members_and_wrong_types() -> None:
    contract = Contract()

    def faults(path: str, document: object) -> list[str]:
        return list(contract.faults("GET", path, 200, json.dumps(document).encode()))

    assert faults("/version", {"Version": "1", "Components": None}) == []
    assert "'Nonsense' was unexpected" in faults("/version", {"Nonsense": 1})[0]
    (fault,) = faults("/containers/x/json?size=1", {"HostConfig": {"Memory": "much"}})
    assert fault.startswith("GET /containers/{id}/json 200 $.HostConfig.Memory: 'much' is not")
