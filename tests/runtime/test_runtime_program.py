"""``boxship-runtime`` as others call it, and the image it is executed from."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from support.boxes import Box

pytestmark = pytest.mark.privileged
MAIN = "from boxship.runtime.main import main; main()"


def program(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", MAIN, *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=60, check=False)


def configured(box: Box, *args: str) -> Path:
    """Write a bundle's config.json by the program itself, then put ``args`` into it."""
    assert program("spec", cwd=box.place).returncode == 0
    path = box.place / "config.json"
    document = json.loads(path.read_text())
    document["process"]["args"] = list(args)
    document["linux"]["cgroupsPath"] = f"/{box.name}"
    path.write_text(json.dumps(document))
    return path


@pytest.mark.spec("root.path", "process.args")
def test_a_bundle_runs_and_its_status_is_ours(box: Box) -> None:
    configured(box, "sh", "-c", "hostname; exit 7")
    result = program("run", "--pid-file", "pid", "one", cwd=box.place)
    assert (result.stdout, result.stderr, result.returncode) == ("boxship\n", "", 7)
    assert int((box.place / "pid").read_text()) > 1


def test_a_wrong_bundle_is_one_line_naming_the_field(box: Box) -> None:
    path = configured(box, "true")
    document = json.loads(path.read_text())
    document["process"]["cwd"] = "here"
    path.write_text(json.dumps(document))
    result = program("run", "one", cwd=box.place)
    assert result.returncode == 1
    assert (
        result.stderr == "boxship-runtime run failed: process.cwd: 'here' is not an absolute path\n"
    )


def test_a_command_that_is_not_there(box: Box) -> None:
    configured(box, "nosuch")
    result = program("run", "one", cwd=box.place)
    assert result.returncode == 1
    assert "executable file not found in $PATH" in result.stderr


def test_spec_overwrites_nothing(box: Box) -> None:
    configured(box, "true")
    assert program("spec", cwd=box.place).returncode == 1


def test_features_and_explain(box: Box) -> None:
    configured(box, "true")
    features = json.loads(program("features", cwd=box.place).stdout)
    assert features["linux"]["seccomp"]["enabled"]
    assert "pivot_root" in program("explain", cwd=box.place).stdout


ATTACK = """
import os, sys, time
from boxship.runtime.sealed import execute_sealed
source = open(sys.argv[2]).read()
if sys.argv[1] == "sealed":
    execute_sealed(["-c", source, *sys.argv[1:]])
image = os.open("/proc/self/exe", os.O_RDONLY)
os.set_inheritable(image, True)
# Once nobody executes the file any more, the descriptor's path opens it for writing.
os.execv("/bin/busybox", ["sh", "-c",
    f"(echo -n >> /proc/self/fd/{image}) 2>&1 && echo written"])
"""


def test_a_sealed_interpreter_cannot_be_written_through_proc(tmp_path: Path) -> None:
    """CVE-2019-5736; without the seal the same attempt must succeed, or it proves nothing."""
    script = tmp_path / "attack.py"
    script.write_text(ATTACK)
    interpreter = tmp_path / "python"
    shutil.copy(os.path.realpath(sys.executable), interpreter)
    environment = {**os.environ, "PYTHONHOME": sys.base_prefix, "PYTHONPATH": ":".join(sys.path)}
    seen = {}
    for how in ("sealed", "open"):
        result = subprocess.run(
            [interpreter, "-c", ATTACK, how, script],
            capture_output=True, text=True, check=False, timeout=30, env=environment,
        )  # fmt: skip
        seen[how] = result.stdout.strip()
    assert seen["open"] == "written"
    assert "Read-only file system" in seen["sealed"]
