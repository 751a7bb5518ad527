"""The shell script that users call, and the sealed interpreter that stands ready for it."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from boxship.runtime import standing
from boxship.runtime.start import _Archive
from support.waiting import eventually

from .conftest import MAIN, Runtime

pytestmark = pytest.mark.privileged
SCRIPT = Path(__file__).parents[2] / "scripts/entry/boxship-runtime"


@pytest.fixture
def program(tmp_path: Path, runtime: Runtime) -> Iterator[Path]:
    """The program as pip installs it, in a directory of its own; ``runtime`` calls it."""
    made = install(tmp_path / "bin")
    runtime.command = [str(made), "--root", str(runtime.root)]
    yield made
    standing.forget(standing.home_of(str(made)))


def install(place: Path) -> Path:
    made = place / "boxship-runtime"
    place.mkdir()
    shutil.copy(SCRIPT, made)
    with open(f"{made}.py", "w") as stream:
        stream.write(f"#!{sys.executable}\n{MAIN}\n")
        os.fchmod(stream.fileno(), 0o755)
    return made


def is_mounted(home: Path) -> bool:
    return f" {home}/python " in Path("/proc/self/mountinfo").read_text()


def image_of(program: Path, runtime: Runtime) -> str:
    """Run a container; return where its runtime's image is, which is read-only."""
    command = [str(program), "--root", str(runtime.root), "run", "one"]
    runtime.configure("sleep", "100")
    with subprocess.Popen(command, cwd=runtime.bundle, stdin=subprocess.DEVNULL) as process:
        try:
            eventually((runtime.root / "one/state.json").exists, "the container")
            image = os.readlink(f"/proc/{process.pid}/exe")
            # Trying to write would fail for any program that runs (ETXTBSY).
            assert os.statvfs(f"/proc/{process.pid}/exe").f_flag & os.ST_RDONLY
        finally:
            eventually(lambda: runtime("kill", "one", "KILL").returncode == 0, "the kill")
        assert process.wait(30) == 128 + 9
    return image


def test_a_call_starts_once_from_an_image_that_nobody_can_write(
    program: Path, runtime: Runtime
) -> None:
    home = standing.home_of(str(program))
    assert not image_of(program, runtime).startswith(home)
    # The call above was root's, so the next one finds it ready.
    assert image_of(program, runtime) == f"{home}/python"


def test_what_is_there_is_not_made_again(program: Path, runtime: Runtime) -> None:
    image_of(program, runtime)
    home = Path(standing.home_of(str(program)))
    before = (home / "modules").stat()
    runtime.command[0] += ".py"  # the long way: whoever cannot see the mount takes it each time
    image_of(Path(runtime.command[0]), runtime)
    after = (home / "modules").stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def test_a_link_to_the_program(program: Path, runtime: Runtime, tmp_path: Path) -> None:
    link = tmp_path / "elsewhere"
    link.symlink_to(program)
    image_of(link, runtime)
    assert image_of(link, runtime) == f"{standing.home_of(str(program))}/python"


def test_another_interpreter_is_noticed(program: Path, runtime: Runtime) -> None:
    image_of(program, runtime)
    home = Path(standing.home_of(str(program)))
    (home / "interpreter").unlink()
    (home / "interpreter").symlink_to("/bin/busybox")
    assert not image_of(program, runtime).startswith(str(home))
    assert image_of(program, runtime) == f"{home}/python"
    mounts = Path("/proc/self/mountinfo").read_text()
    assert mounts.count(f"{home}/python ") == 1


def test_a_home_that_others_could_change_is_none(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    standing.establish(str(tmp_path / "open/home"), os.path.realpath(sys.executable))
    assert not (tmp_path / "open/home/python").exists()


def test_code_counts_while_its_file_is_what_it_was(tmp_path: Path) -> None:
    file = tmp_path / "one.py"
    file.write_text("answer = 42\n")
    status = file.stat()
    entry = (str(file), status.st_mtime_ns, status.st_size, False, 0, 1)
    archive = _Archive(-1, {"one": entry})
    assert archive.find_spec("one", None) is not None
    assert archive.find_spec("re", None) is None
    assert not archive.stale
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    assert archive.find_spec("one", None) is None
    assert archive.stale


def test_a_home_is_everybodys_whatever_the_umask_is(program: Path, runtime: Runtime) -> None:
    subprocess.run([program, "run", "--bundle", "/nowhere", "one"], umask=0o077, check=False)
    home = Path(standing.home_of(str(program)))
    assert os.path.samefile(home / "python", home / "interpreter")
    for name in ("start", "modules", "pyvenv.cfg"):
        assert (home / name).stat().st_mode & 0o777 == 0o644


def test_an_installation_that_has_moved_is_noticed(program: Path, tmp_path: Path) -> None:
    source = Path(standing.__file__).parents[2]
    here, there = tmp_path / "here", tmp_path / "there"
    shutil.copytree(source / "boxship", here / "boxship")

    def install(root: Path) -> None:
        with open(f"{program}.py", "w") as stream:
            stream.write(f"#!{sys.executable}\nimport sys\nsys.path.insert(0, {str(root)!r})\n")
            stream.write(MAIN)

    def call() -> str:
        words = [program, "--log", "/dev/null", "run", "--bundle", "/nowhere", "one"]
        return subprocess.run(words, capture_output=True, text=True, check=False).stderr

    install(here)
    assert "/nowhere/config.json: no such file" in call()
    here.rename(there)
    install(there)
    assert "/nowhere/config.json: no such file" in call()
    modules = Path(standing.home_of(str(program)), "modules").read_bytes()
    assert str(there).encode() in modules
    assert str(here).encode() not in modules


def test_another_beginning_is_noticed(program: Path, runtime: Runtime) -> None:
    image_of(program, runtime)
    home = Path(standing.home_of(str(program)))
    now = os.stat(f"{program}.py")
    os.utime(f"{program}.py", ns=(now.st_atime_ns, now.st_mtime_ns + 1))
    assert not image_of(program, runtime).startswith(str(home))
    assert image_of(program, runtime) == f"{home}/python"


def test_an_interpreter_that_does_not_start_there_is_tried_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interpreter = os.path.realpath(sys.executable)
    tried = []
    monkeypatch.setattr(standing, "make_owned", lambda _: True)
    monkeypatch.setattr(standing, "_write_code", lambda *_: tried.append("code"))
    monkeypatch.setattr(standing, "_works", lambda _: False)
    for _ in range(2):
        standing.establish(str(tmp_path), interpreter)
    assert tried == ["code"]
    assert not (tmp_path / "interpreter").exists()
    assert str(tmp_path) not in Path("/proc/self/mountinfo").read_text()


def test_the_home_of_a_program_that_was_removed_goes_with_the_next_that_is_made(
    program: Path, runtime: Runtime, tmp_path: Path
) -> None:
    image_of(program, runtime)
    home = Path(standing.home_of(str(program)))
    assert is_mounted(home)
    shutil.rmtree(program.parent)
    other = install(tmp_path / "elsewhere")
    runtime.command = [str(other), "--root", str(runtime.root)]
    try:
        image_of(other, runtime)
        assert not home.exists()
        assert not is_mounted(home)
        assert is_mounted(Path(standing.home_of(str(other))))
    finally:
        standing.forget(standing.home_of(str(other)))
