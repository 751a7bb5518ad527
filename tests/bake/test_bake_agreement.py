"""Bake files mean what they mean to buildx, which was asked; the answers are in files beside."""

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from boxship.cli.bake.hcl.syntax import HclError
from boxship.cli.bake.overrides import parse_override
from boxship.cli.bake.project import BakeError, Plan, Source, printed, read_project

HERE = Path(__file__).parent
TABLE = tomllib.loads((HERE / "expressions.toml").read_text())
# Fields that buildx 0.13 reads and does not print.
NOT_PRINTED = {"network", "entitlements"}


def value_of(expression: str) -> str | None:
    text = f'{TABLE["head"]}target "t" {{\n args = {{\n X = {expression}\n }}\n}}\n'
    plan = read_project([Source("t.hcl", text)], {}).plan(["t"])
    return (plan.targets["t"].args or {}).get("X")


@pytest.mark.parametrize("case", TABLE["case"], ids=[one["expression"] for one in TABLE["case"]])
def test_expression_is_worth_the_same(case: dict[str, Any]) -> None:
    if "error" in case:
        with pytest.raises((HclError, BakeError)):
            value_of(case["expression"])
    else:
        assert value_of(case["expression"]) == case.get("value")


def plan(names: list[str], changes: list[str], file: str, environment: dict[str, str]) -> Plan:
    project = read_project([Source(file, (HERE / file).read_text())], environment)
    return project.plan(names, [parse_override(one) for one in changes])


def shown(found: Plan) -> Any:
    document = json.loads(printed(found))
    for target in document["target"].values():
        for name in NOT_PRINTED:
            target.pop(name, None)
    return document


@pytest.mark.parametrize(
    ("names", "changes", "file", "environment", "expected"),
    [
        ([], [], "sample.hcl", {}, "printed-default.json"),
        (
            ["all"],
            [
                "app.args.V=9",
                "*.platform=linux/arm/v7",
                "app.output=type=registry",
                "app.tags=z",
                "app.labels.q=w",
                "app.cache-from=",
            ],
            "sample.hcl",
            {},
            "printed-changed.json",
        ),
        ([], [], "sample.yml", {"B": "7"}, "printed-compose.json"),
    ],
)
def test_plan_is_printed_alike(
    names: list[str], changes: list[str], file: str, environment: dict[str, str], expected: str
) -> None:
    wanted = json.loads((HERE / expected).read_text())
    found = shown(plan(names, changes, file, environment))
    # Services are in the order of a hash there.
    for group in (*wanted["group"].values(), *found["group"].values()):
        group["targets"].sort() if file.endswith(".yml") else None
    assert found == wanted
    for name, target in wanted["target"].items():
        assert list(found["target"][name]) == list(target)
