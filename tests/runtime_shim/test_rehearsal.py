"""Rehearsals warm the launcher up; they must never hold it up."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.privileged

SOURCE = Path(__file__).parents[2] / "src"

REHEARSE = f"""
import shutil, sys
sys.path.insert(0, {str(SOURCE)!r})
from boxship.runtime.shim import rehearsal
"""

# As if the run directory were removed while the launcher starts.
VANISH = """
spawn = rehearsal.Stage.spawn_init
def vanish(*arguments, **named):
    shutil.rmtree(sys.argv[1])
    return spawn(*arguments, **named)
rehearsal.Stage.spawn_init = vanish
"""


def rehearse(directory: Path, before: str = "") -> None:
    """In an interpreter like the launcher's; it must come to an end within seconds."""
    program = REHEARSE + before + "rehearsal.rehearse(sys.argv[1])"
    command = [sys.executable, "-I", "-S", "-c", program, str(directory)]
    subprocess.run(command, check=True, timeout=20)


def test_it_leaves_nothing(tmp_path: Path) -> None:
    rehearse(tmp_path / "stage")
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_can_not_be_made_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    rehearse(tmp_path / "file" / "stage")


def test_a_shim_that_can_not_leave_its_exit_record_is_not_waited_for(tmp_path: Path) -> None:
    rehearse(tmp_path / "stage", VANISH)
