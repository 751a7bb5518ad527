"""What is packed holds what the source has: a module that is left out is missed only later."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a wheel is packed of; made of a copy, because building leaves things in the source."""
    place = tmp_path_factory.mktemp("wheel")
    for name in ("src", "scripts/entry"):
        ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
        shutil.copytree(ROOT / name, place / name, ignore=ignored)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, place)
    done = subprocess.run(
        [sys.executable, "-c", "import setuptools; setuptools.setup()", "-q", "build"],
        cwd=place, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return place / "build"


def test_every_file_of_the_package_is_in_it(built: Path) -> None:
    packed = {path.relative_to(built / "lib") for path in (built / "lib").rglob("*")}
    source = ROOT / "src"
    present = {
        path.relative_to(source)
        for path in (source / "boxship").rglob("*")
        if "__pycache__" not in path.parts
    }
    assert packed - {Path("boxship")} == present


def test_it_fits_every_machine_and_brings_the_quick_program(built: Path) -> None:
    assert not list(built.glob("lib.*")), "something was compiled for this machine"
    [script] = built.glob("scripts-*/boxship-runtime")
    assert script.stat().st_mode & 0o111
