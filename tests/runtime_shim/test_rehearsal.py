"""Rehearsals warm the launcher up; they must never hold it up."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from boxship.runtime import steps
from boxship.runtime.defaults import CAPABILITIES, default_spec
from boxship.runtime.host import Host
from boxship.runtime.plan import plan
from boxship.runtime.seccomp.profile import default_profile

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


NOTHING_MORE = f"""
import sys
sys.path.insert(0, {str(SOURCE)!r})
from boxship.runtime import launcher, warm
from boxship.runtime.blueprint import Plan
warm.warm_up()
before = set(sys.modules)
plan = Plan.from_json(sys.stdin.read())
assert plan.process.seccomp and plan.setup and plan.cgroup
plan.to_json()
print(*set(sys.modules) - before)
"""


def test_reading_a_plan_loads_no_module(tmp_path: Path) -> None:
    """Every container's starter would have to, and find nothing of it in shared memory."""
    spec = default_spec(("true",))
    seccomp = default_profile(CAPABILITIES, Host.look().machine, Host.look().kernel)
    spec = replace(spec, linux=replace(spec.linux, seccomp=seccomp))
    root = steps.MountOverlay(str(tmp_path), ("rootfs",), "upper", "work", "mountpoint")
    text = plan(spec, "c1", Host.look(), root).to_json()
    command = [sys.executable, "-I", "-S", "-c", NOTHING_MORE]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
