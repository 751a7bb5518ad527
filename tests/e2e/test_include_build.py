"""INCLUDE, with files that a client sends when they are asked for."""

from pathlib import Path

import pytest

from support.cli import Cli
from support.engine import Engine

pytestmark = pytest.mark.privileged


@pytest.mark.parametrize("door", ["1", "0"], ids=["buildkit", "classic"])
def test_files_are_fetched_and_errors_are_shown_in_theirs(
    engine: Engine, boxship: Cli, tmp_path: Path, door: str
) -> None:
    build = Cli(boxship.program, {**boxship._environment, "DOCKER_BUILDKIT": door})
    (tmp_path / "parts").mkdir()
    (tmp_path / "Dockerfile").write_text("FROM scratch\nINCLUDE parts/one\nLABEL last=1\n")
    (tmp_path / "parts/one").write_text("LABEL one=1\nINCLUDE two\n")
    (tmp_path / "parts/two").write_text("# comment\nLABEL two=2\n")
    done = build.run("build", "-t", "included", str(tmp_path))
    assert done.code == 0, done
    labels = engine.api.get("/images/included/json").json()["Config"]["Labels"]
    assert labels == {"one": "1", "two": "2", "last": "1"}
    boxship("rmi", "included")

    (tmp_path / "parts/two").write_text("# comment\nLABELX two=2\n")
    done = build.run("build", str(tmp_path))
    assert done.code == 1
    assert "on parts/two line 2: unknown instruction: LABELX (did you mean LABEL?)" in done.err
    assert door == "0" or "2 | >>> LABELX two=2" in done.err

    (tmp_path / "parts/two").unlink()
    done = build.run("build", str(tmp_path))
    assert done.code == 1
    assert "parts/two" in done.err


@pytest.mark.parametrize("door", ["1", "0"], ids=["buildkit", "classic"])
def test_a_dockerfile_has_patterns_of_its_own_where_docker_looks_for_them(
    engine: Engine, boxship: Cli, tmp_path: Path, door: str
) -> None:
    build = Cli(boxship.program, {**boxship._environment, "DOCKER_BUILDKIT": door})
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY skipped /\n")
    (tmp_path / "Dockerfile.dockerignore").write_text("skipped\n")
    (tmp_path / "skipped").write_text("x")
    assert (build.run("build", "-t", "patterns", str(tmp_path)).code == 0) is (door == "0")
    if door == "0":
        boxship("rmi", "patterns")
