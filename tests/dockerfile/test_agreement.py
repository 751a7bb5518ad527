"""Texts of which Docker's own builder was asked what it makes of them; ``agreed.toml`` has them."""

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from boxship.dockerfile.errors import DockerfileError
from support.imageconfig import image_config

CASES = tomllib.loads((Path(__file__).parent / "agreed.toml").read_text())["case"]


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_text_means_what_it_means_to_docker(case: dict[str, Any]) -> None:
    if "config" in case:
        assert image_config(case["text"]) == json.loads(case["config"])
        return
    with pytest.raises(DockerfileError) as raised:
        image_config(case["text"])
    if case["error"] is not True:
        assert raised.value.problem.casefold() == case["error"].casefold()


@pytest.mark.parametrize("text", ["FROM scratch\nONBUILD FOO x\n", "FROM scratch\nONBUILD COPY a"])
def test_a_trigger_that_no_image_could_use_is_refused_where_it_is_written(text: str) -> None:
    with pytest.raises(DockerfileError):
        image_config(text)
