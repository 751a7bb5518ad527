"""``checkpoint`` and ``restore``, through the real criu where it works on this kernel."""

import json
import os
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from boxship.base.errors import BoxshipError
from boxship.runtime.cli import criu
from support.waiting import eventually

pytestmark = pytest.mark.privileged
COUNT = "n=0; while :; do echo $n >>/tmp/numbers; n=$((n+1)); sleep 0.05; done"


@cache
def criu_works() -> bool:
    """Ask criu to save and bring back a plain process: `criu check` does not know its own vDSO."""
    if shutil.which("criu") is None:
        return False
    place = Path(os.environ.get("TMPDIR", "/tmp")) / f"criu-{os.getpid()}"
    place.mkdir()
    null = subprocess.DEVNULL
    sleeper = subprocess.Popen(
        ["sleep", "1000"], stdin=null, stdout=null, stderr=null, start_new_session=True
    )
    try:
        words = ["criu", "dump", "-j", "--leave-running", "-t", str(sleeper.pid), "-D", str(place)]
        return subprocess.run(words, capture_output=True, check=False).returncode == 0
    finally:
        sleeper.kill()
        sleeper.wait()
        shutil.rmtree(place)


def numbers(runtime: Any) -> list[int]:
    path = runtime.rootfs / "tmp/numbers"
    return [int(line) for line in path.read_text().split()] if path.exists() else []


def counting(runtime: Any, **changes: Any) -> None:
    runtime.configure("sh", "-c", COUNT, change=lambda document: document.update(changes))
    document = json.loads((runtime.bundle / "config.json").read_text())
    document["root"]["readonly"] = False
    (runtime.bundle / "config.json").write_text(json.dumps(document))
    # A file of the host's as stderr could not be saved.
    null = subprocess.DEVNULL
    words = [*runtime.command, "run", "--detach", "counter"]
    subprocess.run(words, cwd=runtime.bundle, stdin=null, stdout=null, stderr=null, check=True)
    eventually(lambda: len(numbers(runtime)) > 3, "the first numbers")


def goes_on(runtime: Any, count: int) -> None:
    eventually(lambda: len(numbers(runtime)) > count + 3, "more numbers")
    assert numbers(runtime) == list(range(len(numbers(runtime))))


needs_criu = pytest.mark.skipif("not criu_works()", reason="criu does not work on this kernel")


@needs_criu
def test_a_count_goes_on_in_a_container_of_another_name(runtime: Any) -> None:
    counting(runtime)
    images = runtime.place / "images"
    runtime.works("checkpoint", f"--image-path={images}", "counter")
    until = len(numbers(runtime))
    assert runtime("state", "counter").returncode == 1
    assert not list(Path("/sys/fs/cgroup").glob(f"**/{runtime.cgroup}"))
    pid_file = runtime.place / "pid"
    runtime.detached("restore", "--detach", f"--image-path={images}", f"--pid-file={pid_file}",
                     "again")  # fmt: skip
    state = runtime.state("again")
    assert (state["status"], state["pid"]) == ("running", int(pid_file.read_text()))
    goes_on(runtime, until)
    # It is in the container's cgroup, and can be joined, paused and killed like any other.
    groups = Path(f"/proc/{state['pid']}/cgroup").read_text()
    assert runtime.cgroup in groups
    assert runtime.works("exec", "again", "echo", "inside") == "inside\n"
    runtime.works("pause", "again")
    assert runtime.state("again")["status"] == "paused"
    runtime.works("resume", "again")
    runtime.works("kill", "again", "KILL")
    eventually(lambda: runtime.state("again")["status"] == "stopped", "the end")
    runtime.works("delete", "again")
    assert runtime.leftovers() == []


@needs_criu
def test_saved_in_two_goes_and_left_running(runtime: Any) -> None:
    counting(runtime)
    images = runtime.place / "images"
    runtime.works("checkpoint", "--pre-dump", f"--image-path={images}/first", "counter")
    assert runtime.state("counter")["status"] == "running"
    absolute = runtime("checkpoint", f"--image-path={images}/second", "--parent-path=/x", "counter")
    assert absolute.returncode == 1
    assert "--parent-path: must be relative" in absolute.stderr
    runtime.works("checkpoint", "--parent-path=../first", f"--image-path={images}/second",
                  f"--work-path={runtime.place}/work", "--leave-running", "--file-locks",
                  "--tcp-established", "--ext-unix-sk", "--manage-cgroups-mode=ignore",
                  "counter")  # fmt: skip
    assert (runtime.place / "work/dump.log").exists()
    goes_on(runtime, len(numbers(runtime)))
    runtime.works("delete", "--force", "counter")
    until = len(numbers(runtime))
    (runtime.rootfs / "tmp/numbers").rename(runtime.rootfs / "tmp/before")
    runtime.detached("restore", "--detach", f"--image-path={images}/second",
                     "--manage-cgroups-mode=ignore", "again")  # fmt: skip
    eventually(lambda: len(numbers(runtime)) > 3, "more numbers")
    assert 0 < numbers(runtime)[0] <= until
    assert runtime.cgroup in Path(f"/proc/{runtime.state('again')['pid']}/cgroup").read_text()
    runtime.works("delete", "--force", "again")


@needs_criu
def test_restored_in_the_foreground_it_writes_to_the_new_caller(runtime: Any) -> None:
    runtime.configure("sh", "-c", 'n=0; while :; do n=$((n+1)); echo "at $n"; sleep 0.05; done')
    command = [*runtime.command, "run", "talker"]
    images = runtime.place / "images"
    first = subprocess.Popen(command, cwd=runtime.bundle, stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE)  # fmt: skip
    assert first.stdout is not None
    assert first.stdout.readline() == b"at 1\n"
    runtime.works("checkpoint", f"--image-path={images}", "talker")
    said, _ = first.communicate(timeout=30)
    last = int(said.split()[-1])
    command = [*runtime.command, "restore", f"--image-path={images}", "talker"]
    second = subprocess.Popen(command, cwd=runtime.bundle, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)  # fmt: skip
    assert second.stdout is not None
    line = second.stdout.readline()
    assert line, second.communicate()
    assert int(line.split()[1]) in (last, last + 1)
    runtime("kill", "talker", "KILL")
    second.communicate(timeout=30)
    assert second.returncode == 137
    assert runtime.leftovers() == []


def test_what_cannot_be_saved_is_refused_and_goes_on(runtime: Any) -> None:
    runtime.configure("sleep", "1000")
    runtime.create("waiting")
    refused = runtime("checkpoint", "waiting")
    assert (refused.returncode, "that is created" in refused.stderr) == (1, True)
    runtime.works("delete", "waiting")
    counting(runtime)
    mode = runtime("checkpoint", "--manage-cgroups-mode=some", "counter")
    assert mode.returncode == 1
    assert "soft, full, strict, ignore" in mode.stderr
    missing = runtime("--criu", "/nowhere/criu", "checkpoint", "counter")
    assert missing.returncode == 1
    assert "/nowhere/criu: not found" in missing.stderr
    goes_on(runtime, len(numbers(runtime)))
    runtime.works("delete", "--force", "counter")


def test_the_end_of_the_log_is_the_error(runtime: Any) -> None:
    if shutil.which("criu") is None:
        pytest.skip("criu is not installed")
    runtime.configure("sleep", "1000")
    images = runtime.place / "images"
    images.mkdir()
    (images / "descriptors.json").write_text('["/dev/null", "/dev/null", "/dev/null"]')
    failed = runtime("restore", "--detach", f"--image-path={images}", "again")
    assert failed.returncode == 1
    assert "criu restore failed: Error (" in failed.stderr
    assert str(images / "restore.log") in failed.stderr
    assert runtime.leftovers() == []
    nothing = runtime("restore", "--image-path=/nowhere", "again")
    assert "/nowhere: no such checkpoint" in nothing.stderr


def test_a_place_that_cannot_be_made_is_an_error_in_words(tmp_path: Path) -> None:
    def refuse() -> None:
        raise PermissionError(1, "Operation not permitted")

    with pytest.raises(BoxshipError, match="criu restore cannot be started: its place"):
        criu.run_criu("/bin/true", ["restore"], str(tmp_path / "log"), before=refuse)
